#include "gateway/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INDEX     "index.html"
#define HTTP_DATE "%a, %d %b %Y %H:%M:%S GMT"

/* ---- the path ---- */

static bool is_segment(const char *text, size_t len)
{
	return len > 0 && text[0] != '.';
}

/* The path below the folder, without its first '/'. False: it is not one that is served.
 */
static bool make_name(char out[PAGES_PATH_MAX + sizeof(INDEX)], const char *path)
{
	size_t len = strlen(path);
	const char *at = path, *slash;

	if (len == 0 || len > PAGES_PATH_MAX || path[0] != '/')
		return false;
	while ((slash = strchr(++at, '/')) != NULL) {
		if (!is_segment(at, (size_t)(slash - at)))
			return false;
		at = slash;
	}
	if (*at != '\0' && !is_segment(at, strlen(at)))
		return false;
	memcpy(out, path + 1, len);
	if (*at == '\0')
		memcpy(out + len - 1, INDEX, sizeof(INDEX));
	return true;
}

/* ---- the file ---- */

/* The folder is opened anew for each: who deploys may put another one in its place. */
static int open_beneath(const char *folder, const char *name, int flags)
{
	const struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
				     .resolve = RESOLVE_BENEATH};
	int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, code;

	if (at < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
	code = errno;
	close(at);
	errno = code;
	return fd;
}

int pages_check(const char *folder, struct err *e)
{
	int fd = open_beneath(folder, ".", O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return err_set_errno(e, ERR_IO, errno, "%s", folder);
	close(fd);
	return 0;
}

static const struct {
	const char *extension, *type;
} types[] = {
	{"html", "text/html; charset=utf-8"},
	{"css", "text/css; charset=utf-8"},
	{"js", "text/javascript; charset=utf-8"},
	{"mjs", "text/javascript; charset=utf-8"},
	{"json", "application/json"},
	{"map", "application/json"},
	{"webmanifest", "application/manifest+json"},
	{"txt", "text/plain; charset=utf-8"},
	{"svg", "image/svg+xml"},
	{"png", "image/png"},
	{"jpg", "image/jpeg"},
	{"jpeg", "image/jpeg"},
	{"gif", "image/gif"},
	{"webp", "image/webp"},
	{"avif", "image/avif"},
	{"ico", "image/x-icon"},
	{"woff2", "font/woff2"},
	{"mp3", "audio/mpeg"},
	{"wasm", "application/wasm"},
	{"pdf", "application/pdf"},
};

static const char *type_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (dot == NULL || strchr(dot, '/') != NULL)
		return "application/octet-stream";
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].extension, dot + 1) == 0)
			return types[i].type;
	return "application/octet-stream";
}

static void describe(struct page *p, const struct stat *st, const char *name)
{
	struct tm utc;

	p->size = (uint64_t)st->st_size;
	p->type = type_of(name);
	p->modified_s = st->st_mtim.tv_sec;
	snprintf(p->tag, sizeof(p->tag), "\"%llx.%lx-%llx\"",
		 (unsigned long long)st->st_mtim.tv_sec,
		 (unsigned long)st->st_mtim.tv_nsec, (unsigned long long)st->st_size);
	p->modified[0] = '\0';
	if (gmtime_r(&p->modified_s, &utc) != NULL)
		strftime(p->modified, sizeof(p->modified), HTTP_DATE, &utc);
}

/* O_NONBLOCK: a pipe that somebody put there must not hold up the thread. */
bool pages_open(struct page *out, const char *folder, const char *path)
{
	char name[PAGES_PATH_MAX + sizeof(INDEX)];
	struct stat st;

	if (!make_name(name, path))
		return false;
	out->fd = open_beneath(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (out->fd < 0)
		return false;
	if (fstat(out->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > PAGES_FILE_MAX) {
		close(out->fd);
		return false;
	}
	describe(out, &st, name);
	return true;
}

/* ---- what the client has ---- */

/* Weak comparison: W/ says nothing here. */
static bool has_tag(const char *list, const char *tag)
{
	size_t tag_len = strlen(tag);

	while (*(list += strspn(list, " \t,")) != '\0') {
		size_t len = strcspn(list, ",");
		size_t weak = strncmp(list, "W/", 2) == 0 ? 2 : 0;
		size_t used = len;

		while (used > 0 && (list[used - 1] == ' ' || list[used - 1] == '\t'))
			used--;
		if ((used == 1 && list[0] == '*') ||
		    (used == tag_len + weak && memcmp(list + weak, tag, tag_len) == 0))
			return true;
		list += len;
	}
	return false;
}

bool pages_is_known(const struct page *p, const char *none_match, const char *since)
{
	struct tm utc = {0};
	const char *end;

	if (none_match != NULL)
		return has_tag(none_match, p->tag);
	if (since == NULL)
		return false;
	end = strptime(since, HTTP_DATE, &utc);
	return end != NULL && *end == '\0' && p->modified_s <= timegm(&utc);
}
