/* Memory that is there or the process is not: out of memory ends it here and nowhere
 * else.
 *
 * Sizes are judged by the callers before they ask (each input has a stated maximum), so a
 * failure here means the machine is out of memory; the process logs one line and aborts.
 * Any thread. Results are the caller's and go back with mem_free(). */
#ifndef PAYBELL_BASE_MEM_H
#define PAYBELL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *mem_alloc(size_t size);                         /* zeroed */
void *mem_array(size_t count, size_t size);           /* zeroed; aborts on overflow */
void *mem_resize(void *p, size_t count, size_t size); /* new part not zeroed */
char *mem_strdup(const char *s);                      /* NULL gives NULL */
char *mem_dup(const void *bytes, size_t len);         /* a NUL is added behind the copy */
void mem_free(void *p);                               /* NULL does nothing */

/* Copy text into fixed storage; always terminated (size > 0). False when it did not fit
 * and was cut, at a UTF-8 boundary. */
bool mem_copy_text(char *out, size_t size, const char *text);

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
