#include "wire/ws_handshake.h"

#include <assert.h>
#include <string.h>

#define GUID       "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 section 1.3 */
#define KEY_DIGITS 22                                     /* and two '=' */

static_assert(WS_KEY_CHARS + sizeof(GUID) - 1 == WS_ACCEPT_TEXT_CHARS, "key and GUID");

static int refuse(struct ws_handshake *hs, int status, const char *fields,
		  const char *why, struct err *e)
{
	hs->status = status;
	hs->fields = fields;
	return err_set(e, ERR_INVALID, "handshake: %s", why);
}

static int judge_request(struct ws_handshake *hs, const struct http_head *head,
			 struct err *e)
{
	if (!http_text_is(http_head_method(head), "GET"))
		return refuse(hs, 405, "Allow: GET\r\n", "the method is not GET", e);
	if (head->minor_version < 1)
		return refuse(hs, 400, "", "HTTP/1.0", e);
	/* What follows the head is read as frames: a body would be, too, and what stands
	 * between us and the client might see it otherwise. */
	if (head->chunked || head->content_length > 0)
		return refuse(hs, 400, "", "a body", e);
	if (!http_head_has_item(head, "Upgrade", "websocket"))
		return refuse(hs, 426, "Upgrade: websocket\r\nConnection: Upgrade\r\n",
			      "no Upgrade to websocket", e);
	if (!http_head_has_item(head, "Connection", "Upgrade"))
		return refuse(hs, 400, "", "an Upgrade that Connection does not name", e);
	return 0;
}

static int judge_version(struct ws_handshake *hs, const struct http_head *head,
			 struct err *e)
{
	struct http_text version;

	if (http_head_field(head, "Sec-WebSocket-Version", &version) > 1)
		return refuse(hs, 400, "", "more than one Sec-WebSocket-Version", e);
	if (!http_text_is(version, "13"))
		return refuse(hs, 426, "Sec-WebSocket-Version: 13\r\n",
			      "another version of the protocol", e);
	return 0;
}

/* The bits that the last digit has too many are not looked at: nobody decodes a key. */
static bool is_key(struct http_text text)
{
	if (text.len != WS_KEY_CHARS || memcmp(text.at + KEY_DIGITS, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < KEY_DIGITS; i++) {
		char c = text.at[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		      (c >= '0' && c <= '9') || c == '+' || c == '/'))
			return false;
	}
	return true;
}

static int judge_protocols(struct ws_handshake *hs, const struct http_head *head,
			   struct err *e)
{
	struct http_items next = {0};
	struct http_text protocol;

	while (ws_handshake_next_protocol(head, &next, &protocol))
		if (!http_text_is_token(protocol))
			return refuse(hs, 400, "", "a subprotocol that is no token", e);
	return 0;
}

/* A token, also as a quoted string: what is in it has to be one, too (it is judged by its
 * first 64 bytes: nothing is made of it). */
static bool is_value(struct http_text value)
{
	char text[64];
	size_t len = 0;

	if (value.len < 2 || *value.at != '"' || value.at[value.len - 1] != '"')
		return http_text_is_token(value);
	for (size_t i = 1; i < value.len - 1 && len < sizeof(text); i++) {
		if (value.at[i] == '\\' && i + 1 < value.len - 1)
			i++;
		text[len++] = value.at[i];
	}
	return http_text_is_token((struct http_text){text, len});
}

/* RFC 6455 section 9.1: a token, and parameters "name" or "name=value" behind it. */
static bool is_extension(struct http_text offer)
{
	struct http_text rest, value;

	if (!http_text_is_token(http_text_trim(http_text_split(offer, ';', &rest))))
		return false;
	while (rest.at) {
		struct http_text parameter = http_text_split(rest, ';', &rest);

		if (!http_text_is_token(
			    http_text_trim(http_text_split(parameter, '=', &value))) ||
		    (value.at && !is_value(http_text_trim(value))))
			return false;
	}
	return true;
}

/* None is negotiated, but what is no offer fails the handshake. */
static int judge_extensions(struct ws_handshake *hs, const struct http_head *head,
			    struct err *e)
{
	struct http_items next = {0};
	struct http_text offer;

	while (http_head_next_item(head, "Sec-WebSocket-Extensions", &next, &offer))
		if (!is_extension(offer))
			return refuse(hs, 400, "",
				      "an extension that is no token with "
				      "parameters",
				      e);
	return 0;
}

int ws_handshake_judge(struct ws_handshake *hs, const struct http_head *head,
		       struct err *e)
{
	*hs = (struct ws_handshake){.fields = ""};
	if (judge_request(hs, head, e) < 0 || judge_version(hs, head, e) < 0)
		return -1;
	if (http_head_field(head, "Sec-WebSocket-Key", &hs->key) != 1 || !is_key(hs->key))
		return refuse(hs, 400, "", "not one Sec-WebSocket-Key of 16 bytes", e);
	if (http_head_field(head, "Origin", &hs->origin) > 1)
		return refuse(hs, 400, "", "more than one Origin", e);
	if (judge_extensions(hs, head, e) < 0)
		return -1;
	return judge_protocols(hs, head, e);
}

void ws_handshake_accept_text(const struct ws_handshake *hs,
			      char out[WS_ACCEPT_TEXT_CHARS])
{
	memcpy(out, hs->key.at, WS_KEY_CHARS);
	memcpy(out + WS_KEY_CHARS, GUID, sizeof(GUID) - 1);
}

bool ws_handshake_next_protocol(const struct http_head *head, struct http_items *next,
				struct http_text *protocol)
{
	return http_head_next_item(head, "Sec-WebSocket-Protocol", next, protocol);
}
