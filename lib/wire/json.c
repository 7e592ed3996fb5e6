/* JSON, read strictly; json_writer.c has the writing.
 *
 * Reading goes through jansson, which is correct about UTF-8, numbers and escapes, but
 * takes memory for what it is given and recurses as deep as 2,048. So the depth is judged
 * here first, in one pass that only counts brackets outside of strings: garbage that is
 * all brackets costs nothing. What jansson says "near" is cut off its messages: that part
 * repeats the input, which may be somebody's address.
 *
 * Known limits: a number beyond a double's range (1e999) counts as malformed, although
 * the grammar allows it. */
#include "wire/json.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53 */

/* The offset of the bracket that goes one level too deep; len when there is none. */
static size_t too_deep_at(const char *bytes, size_t len)
{
	int depth = 0;
	bool in_text = false;

	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];

		if (c == '"')
			in_text = !in_text;
		else if (c == '\\')
			i++;
		else if (in_text)
			continue;
		else if ((c == '{' || c == '[') && ++depth > JSON_DEPTH_MAX)
			return i;
		else if (c == '}' || c == ']')
			depth--;
	}
	return len;
}

struct place {
	int line, column;
};

static struct place place_of(const char *bytes, size_t at)
{
	struct place p = {1, 1};

	for (size_t i = 0; i < at; i++) {
		if (bytes[i] == '\n') {
			p.line++;
			p.column = 1;
		} else if ((bytes[i] & 0xc0) != 0x80) {
			p.column++;
		}
	}
	return p;
}

/* What jansson would not say, or would pass over: a NUL behind a number or a word. */
static int check_first(const char *bytes, size_t len, struct err *e)
{
	size_t deep = too_deep_at(bytes, len);
	const char *nul = len > 0 ? memchr(bytes, '\0', len) : NULL;
	struct place p;

	if (len == 0)
		return err_set(e, ERR_INVALID, "line 1, column 1: it is empty");
	if (deep < len) {
		p = place_of(bytes, deep);
		return err_set(e, ERR_INVALID,
			       "line %d, column %d: nested more than %d levels deep",
			       p.line, p.column, JSON_DEPTH_MAX);
	}
	if (!nul)
		return 0;
	p = place_of(bytes, (size_t)(nul - bytes));
	return err_set(e, ERR_INVALID, "line %d, column %d: text may not contain U+0000",
		       p.line, p.column);
}

static int syntax_fault(const json_error_t *fault, struct err *e)
{
	const char *near = strstr(fault->text, " near ");
	int len = near ? (int)(near - fault->text) : (int)strlen(fault->text);

	switch (json_error_code(fault)) {
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return err_set(e, ERR_INVALID,
			       "line %d, column %d: text may not contain U+0000",
			       fault->line, fault->column);
	case json_error_duplicate_key:
		return err_set(
			e, ERR_INVALID,
			"line %d, column %d: a key may appear only once in an object",
			fault->line, fault->column);
	case json_error_numeric_overflow:
		return err_set(e, ERR_INVALID,
			       "line %d, column %d: the number is too large", fault->line,
			       fault->column);
	case json_error_invalid_utf8:
		return err_set(e, ERR_INVALID, "line %d, column %d: not valid UTF-8",
			       fault->line, fault->column);
	case json_error_premature_end_of_input:
		return err_set(e, ERR_INVALID,
			       "line %d, column %d: not valid JSON: it ends too early",
			       fault->line, fault->column);
	default:
		return err_set(e, ERR_INVALID, "line %d, column %d: not valid JSON: %.*s",
			       fault->line, fault->column, len, fault->text);
	}
}

json_t *json_read(const char *bytes, size_t len, struct err *e)
{
	size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	json_error_t fault;
	json_t *value;

	if (check_first(bytes, len, e) < 0)
		return NULL;
	value = json_loadb(bytes, len, flags, &fault);
	/* An integer beyond 64 bits is good JSON in a wrong place: as a real it gets as
	 * far as the getter that can name its field. */
	if (!value && json_error_code(&fault) == json_error_numeric_overflow)
		value = json_loadb(bytes, len, flags | JSON_DECODE_INT_AS_REAL, &fault);
	if (!value)
		syntax_fault(&fault, e);
	return value;
}

void json_free(json_t *value)
{
	json_decref(value);
}

static const char *type_words(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	default:
		return "null";
	}
}

void json_reader_init(struct json_reader *r, json_t *value, const char *path,
		      struct problem *p)
{
	r->object = json_is_object(value) ? value : NULL;
	r->problem = p;
	r->seen = 0;
	r->path[0] = '\0';
	if (path[0])
		snprintf(r->path, sizeof(r->path), "%s.", path);
	else
		p->kind = PROBLEM_NONE;
	if (!r->object && p->kind == PROBLEM_NONE) {
		const char *name = path[0] ? path : "body";

		problem_set(p, PROBLEM_VALIDATION, name, "%s must be an object, not %s",
			    name, value ? type_words(value) : "absent");
	}
}

bool json_fault(struct json_reader *r, const char *key, const char *fmt, ...)
{
	char field[PROBLEM_FIELD_MAX * 2], text[PROBLEM_DETAIL_MAX];
	va_list args;

	if (json_failed(r))
		return false;
	/* A key may be empty; a field's name may not. */
	snprintf(field, sizeof(field), "%s%s", r->path, key[0] ? key : "\"\"");
	field[utf8_prefix(field, strlen(field), PROBLEM_FIELD_MAX - 1)] = '\0';
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	problem_set(r->problem, PROBLEM_VALIDATION, field, "%s %s", field, text);
	return false;
}

/* The key's value, counted as seen; NULL when absent, null or after a fault. */
static json_t *take(struct json_reader *r, const char *key, bool required)
{
	json_t *value;

	if (json_failed(r))
		return NULL;
	value = json_object_get(r->object, key);
	if (value)
		r->seen++;
	if (value && !json_is_null(value))
		return value;
	if (required)
		json_fault(r, key,
			   value ? "is required and may not be null" : "is required");
	return NULL;
}

bool json_get_text(struct json_reader *r, const char *key, bool required, char *out,
		   size_t size)
{
	json_t *value = take(r, key, required);
	size_t len;

	out[0] = '\0';
	if (!value)
		return false;
	if (!json_is_string(value))
		return json_fault(r, key, "must be text, not %s", type_words(value));
	len = json_string_length(value);
	if (len >= size)
		return json_fault(r, key, "must have at most %zu bytes, not %zu",
				  size - 1, len);
	memcpy(out, json_string_value(value), len + 1);
	return true;
}

/* 7 and 7.0 are the same whole number, as long as a double is exact. */
static bool whole_number(const json_t *value, int64_t *out)
{
	double real = json_number_value(value);

	if (json_is_integer(value)) {
		*out = json_integer_value(value);
		return true;
	}
	if (!(real >= -EXACT_MAX && real <= EXACT_MAX))
		return false;
	*out = (int64_t)real;
	return (double)*out == real;
}

bool json_get_int(struct json_reader *r, const char *key, bool required, int64_t min,
		  int64_t max, int64_t *out)
{
	json_t *value = take(r, key, required);
	int64_t number;

	*out = 0;
	if (!value)
		return false;
	if (!json_is_number(value))
		return json_fault(r, key, "must be a number, not %s", type_words(value));
	if (!whole_number(value, &number))
		return json_fault(r, key, "must be a whole number from %lld to %lld",
				  (long long)min, (long long)max);
	if (number < min || number > max)
		return json_fault(r, key, "must be from %lld to %lld, not %lld",
				  (long long)min, (long long)max, (long long)number);
	*out = number;
	return true;
}

bool json_get_real(struct json_reader *r, const char *key, bool required, double min,
		   double max, double *out)
{
	json_t *value = take(r, key, required);

	*out = 0;
	if (!value)
		return false;
	if (!json_is_number(value))
		return json_fault(r, key, "must be a number, not %s", type_words(value));
	*out = json_number_value(value);
	if (!(*out >= min && *out <= max))
		return json_fault(r, key, "must be a number from %g to %g", min, max);
	return true;
}

bool json_get_bool(struct json_reader *r, const char *key, bool required, bool *out)
{
	json_t *value = take(r, key, required);

	*out = false;
	if (!value)
		return false;
	if (!json_is_boolean(value))
		return json_fault(r, key, "must be true or false, not %s",
				  type_words(value));
	*out = json_is_true(value);
	return true;
}

json_t *json_get_value(struct json_reader *r, const char *key, bool required)
{
	json_t *value = take(r, key, required);

	if (!value)
		return NULL;
	if (!json_is_object(value) && !json_is_array(value)) {
		json_fault(r, key, "must be an object or an array, not %s",
			   type_words(value));
		return NULL;
	}
	return value;
}

bool json_has(const struct json_reader *r, const char *key)
{
	const json_t *value = json_object_get(r->object, key);

	return value && !json_is_null(value);
}

/* Is the word in a list such as "from, to, amount"? */
static bool listed(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += strspn(at, ", ");
		if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return len > 0;
	}
	return false;
}

int json_reader_end(struct json_reader *r, const char *known)
{
	const char *key;
	json_t *value;

	if (json_failed(r))
		return -1;
	if (r->seen == json_object_size(r->object))
		return 0;
	if (!known)
		return problem_set(r->problem, PROBLEM_VALIDATION, r->path,
				   "%s has a field that is not known here",
				   r->path[0] ? r->path : "body");
	json_object_foreach(r->object, key, value)
	{
		if (!listed(known, key)) {
			json_fault(r, key, "is not known here; what is: %s", known);
			return -1;
		}
	}
	return 0;
}

size_t json_count(const json_t *value)
{
	return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

json_t *json_item(const json_t *array, size_t i)
{
	return json_array_get(array, i);
}

bool json_next(json_t *object, void **cursor, const char **key, json_t **value)
{
	*cursor = *cursor ? json_object_iter_next(object, *cursor)
			  : json_object_iter(object);
	if (!*cursor)
		return false;
	*key = json_object_iter_key(*cursor);
	*value = json_object_iter_value(*cursor);
	return true;
}

const char *json_text(const json_t *value)
{
	return json_string_value(value);
}
