/*
 * Preloaded into a process, it moves the time of day by SHIFT_SECONDS. The monotonic clock, by which
 * programs wait, stays as it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static time_t shift(void) {
  const char *seconds = getenv("SHIFT_SECONDS");
  return seconds == NULL ? 0 : atol(seconds);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int (*original)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
  int result = original(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    now->tv_sec += shift();
  }
  return result;
}

int gettimeofday(struct timeval *now, void *zone) {
  int (*original)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
  int result = original(now, zone);
  if (result == 0) {
    now->tv_sec += shift();
  }
  return result;
}
