/* A text with names in it, compiled once and rendered many times: a subset of Mustache.
 *
 *	{{name}}                  the value; escaped as HTML when the template is HTML
 *	{{#name}} … {{/name}}     only when the value is not empty
 *	{{^name}} … {{/name}}     only when it is empty
 *	{{! remark }}
 *
 * There is no unescaped form, no partial, no list and no change of delimiters. A section
 * tag or remark that stands alone on its line takes the line with it. Names are a fixed
 * list: one that is not in it is refused when the template is compiled, with its line, so
 * that nobody finds out from a customer. Pure. Source: mustache(5), version 1.4. */
#ifndef PAYBELL_WORKER_TEMPLATE_H
#define PAYBELL_WORKER_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define TEMPLATE_MAX_BYTES 65536
#define TEMPLATE_DEPTH_MAX 8

struct template;

/* names is a NULL-ended list; the text is copied. ERR_INVALID. */
int template_compile(struct template **out, const char *text, size_t len,
		     const char *const *names, bool html, struct err *e);
void template_free(struct template *t);

/* values[i] belongs to names[i], none is NULL. Adds to out; whether it fitted is out's to
 * say. */
void template_render(const struct template *t, const char *const *values,
		     struct buf *out);

#endif
