/* What each process of the suite sets for itself before it begins. Main thread, once. */
#ifndef PAYBELL_APP_PROCESS_H
#define PAYBELL_APP_PROCESS_H

/* As many descriptors as it may have, files for owner and group only, no death by a
 * closed pipe, memory kept for the next burst, and `nice` (0 to 19) steps back in the
 * queue for the processors. */
void process_prepare(int nice);

#endif
