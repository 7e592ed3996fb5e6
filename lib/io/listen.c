#include "io/listen.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

#define UNIX_PREFIX     "unix:"
#define UNIX_PREFIX_LEN (sizeof(UNIX_PREFIX) - 1)
#define PORT_TEXT_MAX   6

struct name {
	struct sockaddr_storage addr;
	socklen_t len;
};

/* ---- unix ---- */

/* A socket file outlives its process. Whether somebody still listens is asked by
 * connecting: only a refused connection proves that nobody does. */
static int remove_stale(const char *path, const struct name *name, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFLICT, "%s exists and is not a socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(e, ERR_IO, errno, "socket");
	rc = connect(fd, (const struct sockaddr *)&name->addr, name->len);
	if (rc < 0 && errno == ECONNREFUSED)
		rc = unlink(path) == 0 ? 0 : err_set_errno(e, ERR_IO, errno, "%s", path);
	else
		rc = err_set(e, ERR_CONFLICT, "somebody else listens on %s", path);
	close(fd);
	return rc;
}

static int open_unix(int *fds, int count, const char *path, struct err *e)
{
	struct name name = {.len = sizeof(struct sockaddr_un)};
	struct sockaddr_un *un = (struct sockaddr_un *)&name.addr;

	un->sun_family = AF_UNIX;
	if (path[0] != '/' || !mem_copy_text(un->sun_path, sizeof(un->sun_path), path))
		return err_set(e, ERR_INVALID,
			       "unix:%s: needs an absolute path of at most %zu bytes",
			       path, sizeof(un->sun_path) - 1);
	if (remove_stale(path, &name, e) < 0)
		return -1;
	fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fds[0] < 0)
		return err_set_errno(e, ERR_IO, errno, "socket");
	/* The mode is set before listen(): nobody gets in through the umask's one. */
	if (bind(fds[0], (const struct sockaddr *)&name.addr, name.len) < 0 ||
	    chmod(path, 0660) < 0 || listen(fds[0], SOMAXCONN) < 0)
		return err_set_errno(e, ERR_IO, errno, "unix:%s", path);
	for (int i = 1; i < count; i++) {
		fds[i] = dup(fds[0]);
		if (fds[i] < 0)
			return err_set_errno(e, ERR_IO, errno, "dup");
	}
	return 0;
}

/* ---- TCP ---- */

/* Judged here: getaddrinfo() would take 99999 and wrap it. */
static bool is_port(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < PORT_TEXT_MAX && strspn(text, "0123456789") == len &&
	       strtol(text, NULL, 10) <= UINT16_MAX;
}

/* "host:port" or "[v6]:port" into its parts. */
static int split(const char *address, char *host, size_t host_size, const char **port,
		 struct err *e)
{
	const char *colon = strrchr(address, ':');
	const char *from = address;
	size_t len = colon != NULL ? (size_t)(colon - address) : 0;

	if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
		from++;
		len -= 2;
	} else if (len > 0 && memchr(address, ':', len) != NULL) {
		len = 0; /* a bare v6 address: where would the port begin? */
	}
	if (len == 0 || len >= host_size || !is_port(colon + 1))
		return err_set(e, ERR_INVALID,
			       "\"%s\" is not host:port, [v6]:port or unix:/path",
			       address);
	memcpy(host, from, len);
	host[len] = '\0';
	*port = colon + 1;
	return 0;
}

static int resolve(struct name *name, const char *address, struct err *e)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char host[LISTEN_ADDRESS_MAX];
	const char *port = NULL;
	int rc;

	if (split(address, host, sizeof(host), &port, e) < 0)
		return -1;
	rc = getaddrinfo(host, port, &hints, &found);
	if (rc != 0)
		return err_set(e, ERR_INVALID, "%s: %s", address, gai_strerror(rc));
	memcpy(&name->addr, found->ai_addr, found->ai_addrlen);
	name->len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int open_one(const struct name *name, bool shared, const char *address,
		    struct err *e)
{
	int fd, on = 1;

	fd = socket(name->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(e, ERR_IO, errno, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
	    bind(fd, (const struct sockaddr *)&name->addr, name->len) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	err_set_errno(e, errno == EADDRINUSE ? ERR_CONFLICT : ERR_IO, errno, "%s",
		      address);
	close(fd);
	return -1;
}

/* SO_REUSEPORT would let a second process of the same user join in silently and take half
 * of the connections: a plain socket is tried first, which the kernel then refuses. */
static int open_tcp(int *fds, int count, const char *address, struct err *e)
{
	struct name name = {0};
	int probe;

	if (resolve(&name, address, e) < 0)
		return -1;
	if (count > 1) {
		probe = open_one(&name, false, address, e);
		if (probe < 0)
			return -1;
		name.len = sizeof(name.addr);
		getsockname(probe, (struct sockaddr *)&name.addr, &name.len);
		close(probe);
	}
	for (int i = 0; i < count; i++) {
		fds[i] = open_one(&name, count > 1, address, e);
		if (fds[i] < 0)
			return -1;
	}
	return 0;
}

static int bound_name(int fd, char bound[LISTEN_ADDRESS_MAX], struct err *e)
{
	struct name name = {.len = sizeof(name.addr)};
	char host[LISTEN_ADDRESS_MAX - 16], port[PORT_TEXT_MAX];

	if (getsockname(fd, (struct sockaddr *)&name.addr, &name.len) < 0)
		return err_set_errno(e, ERR_IO, errno, "getsockname");
	if (getnameinfo((struct sockaddr *)&name.addr, name.len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return err_set(e, ERR_IO, "getnameinfo failed");
	snprintf(bound, LISTEN_ADDRESS_MAX,
		 name.addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return 0;
}

int listen_open(int *fds, int count, const char *address, char bound[LISTEN_ADDRESS_MAX],
		struct err *e)
{
	bool local = strncmp(address, UNIX_PREFIX, UNIX_PREFIX_LEN) == 0;
	int rc;

	assert(count >= 1 && count <= LISTEN_SOCKETS_MAX);
	for (int i = 0; i < count; i++)
		fds[i] = -1;
	bound[0] = '\0';
	if (local) {
		rc = open_unix(fds, count, address + UNIX_PREFIX_LEN, e);
		mem_copy_text(bound, LISTEN_ADDRESS_MAX, address);
	} else {
		rc = open_tcp(fds, count, address, e);
		if (rc == 0)
			rc = bound_name(fds[0], bound, e);
	}
	if (rc < 0) /* not listen_close(): the path may be somebody else's */
		for (int i = 0; i < count; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	return rc;
}

void listen_unlink(const char *bound)
{
	if (strncmp(bound, UNIX_PREFIX, UNIX_PREFIX_LEN) == 0)
		unlink(bound + UNIX_PREFIX_LEN);
}

void listen_close(const int *fds, int count, const char *bound)
{
	listen_unlink(bound);
	for (int i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}
