/* A CUDA driver on host memory, for tests: adversarial about time, strict about handles.
 *
 * Asynchronous work waits in a queue per stream. Nothing runs until an event, a synchronise or
 * chance lets it, and then the streams take turns in an order drawn from the seed. Device
 * addresses carry a tag, so that the host cannot follow them. Freed memory is poisoned and kept,
 * so that touching it is noticed. What a real driver would only punish by luck is written down as
 * a violation; a test reads the list with double_report and fails.
 *
 * Options, in the environment as CUDA_DOUBLE or through double_reset:
 * seed=1,devices=1,integrated=0,graphs=1,copies=1,memory=1024 (MiB),major=8,minor=7,driver=13000
 * pops=0: leaving a context never reports earlier errors; graphs=0 refuses stream capture,
 * graphs=2 loses the last operation of a replay.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define API __attribute__((visibility("default")))
#define TAG 0x2000000000000000ull
#define POISON 0xDD
#define UNWRITTEN 0xA5

typedef int Status;
typedef uint64_t Address;
typedef int (*Work)(void *);

enum {
  OK, INVALID_VALUE, OUT_OF_MEMORY, NOT_INITIALIZED, NO_DEVICE = 100, INVALID_DEVICE = 101,
  INVALID_CONTEXT = 201, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600,
  ILLEGAL_ADDRESS = 700, LAUNCH_TIMEOUT = 702, LAUNCH_FAILED = 719, NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901
};

typedef enum { STREAM = 1, EVENT, GRAPH, EXEC, MODULE, FUNCTION, KINDS } Kind;
typedef enum { COPY, RECORD, WORK } Action;

typedef struct Object Object;
typedef struct Op {
  Action action;
  char *to;
  const char *from;
  size_t size;
  Object *event;
  uint64_t turn; /* which recording of the event */
  Work work;
  void *argument;
  struct Op *next;
} Op;

struct Object {
  Kind kind;
  int alive, busy, capturing, broken, timed;
  Op *first, *last;        /* a stream's queue, a graph's operations */
  Op *captured, *captured_last;
  uint64_t recorded, done; /* an event's recordings, asked for and reached */
  double time_ms;
  int fails;               /* a kernel's */
  Object *next;
};

typedef struct Block {
  char *start;
  size_t size;
  int device, mapped, alive;
  struct Block *next;
} Block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static Object *objects;
static Block *blocks;
static uint64_t random_state = 1;
static long driver_version, devices, integrated, pops, graphs, copies, memory_mib, major, minor;
static long used, retained, pushed, calls, fail_call, fail_status, lost, initialized;
static const char *names[1 << 16]; /* of the calls, in order */
static char violations[8192];
static int context_object;
static __thread void *stack[16];
static __thread int depth;
static pthread_key_t at_exit; /* a thread's contexts go with it */
static __thread Status late; /* what a call that gives something back reports after doing so */

/* ---- helpers: all called with the lock held ---- */

static void violate(const char *what, const char *where) {
  size_t length = strlen(violations);
  if (length + 200 < sizeof violations)
    snprintf(violations + length, sizeof violations - length, "%s in %s;", what, where);
}

static uint64_t draw(uint64_t below) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % below;
}

static int is_sticky(long status) {
  return (status >= 700 && status <= 719 && status != 701 && status != 704) || status == 46;
}

static Status enter(const char *name, int needs_context) {
  pthread_mutex_lock(&lock);
  late = OK;
  names[++calls & 0xffff] = name;
  if (calls == fail_call) {
    if (is_sticky(fail_status)) lost = fail_status;
    return fail_status;
  }
  if (lost) return lost;
  if (!initialized && strcmp(name, "cuInit")) return NOT_INITIALIZED;
  if (needs_context && (!depth || !stack[depth - 1])) {
    violate("no current context", name);
    return INVALID_CONTEXT;
  }
  return OK;
}

/* Giving back works even when it reports an error of earlier work, as the driver's manual says. */
static void enter_giving_back(const char *name, int needs_context) {
  Status status = enter(name, needs_context);
  late = status;
}

static Status leave(Status status) {
  pthread_mutex_unlock(&lock);
  return status ? status : late;
}

static int is_live(Object *object, Kind kind, const char *where) {
  for (Object *item = objects; item; item = item->next)
    if (item == object && item->kind == kind) {
      if (!item->alive) violate("use after destroy", where);
      return item->alive;
    }
  violate(object ? "unknown handle" : "null handle", where);
  return 0;
}

static Object *make(Kind kind) {
  Object *object = calloc(1, sizeof *object);
  object->kind = kind;
  object->alive = 1;
  object->next = objects;
  objects = object;
  return object;
}

/* The live block that holds [start, start + size), or NULL. */
static Block *block_of(const char *start, size_t size) {
  for (Block *block = blocks; block; block = block->next)
    if (start >= block->start && start + size <= block->start + block->size)
      return block->alive ? block : NULL;
  return NULL;
}

static char *host(Address address) { return (char *)(uintptr_t)(address & ~TAG); }

static Block *device_block(Address address, size_t size, const char *where) {
  Block *block = address & TAG ? block_of(host(address), size) : NULL;
  if (!block || !(block->device || block->mapped)) {
    violate("bad device address", where);
    return NULL;
  }
  return block;
}

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void drop(Op **first, Op **last) {
  for (Op *op = *first, *next; op; op = next) {
    next = op->next;
    free(op);
  }
  *first = *last = NULL;
}

static void append(Op **first, Op **last, Op op) {
  Op *copy = malloc(sizeof *copy);
  *copy = op;
  copy->next = NULL;
  if (*last) (*last)->next = copy; else *first = copy;
  *last = copy;
}

static int is_runnable(Object *stream) {
  return stream->kind == STREAM && stream->first && !stream->busy;
}

static void run_head(Object *stream) {
  Op *op = stream->first;
  if (op->action == COPY) {
    if (!block_of(op->to, op->size) || !block_of(op->from, op->size)) {
      violate("copy touches freed memory", "a queue");
      lost = ILLEGAL_ADDRESS;
    } else if (copies) {
      memcpy(op->to, op->from, op->size);
    }
  } else if (op->action == RECORD) {
    op->event->done = op->turn;
    op->event->time_ms = now_ms();
  } else if (op->action == WORK) {
    stream->busy = 1;
    pthread_mutex_unlock(&lock); /* the work may call back into Python */
    int failed = op->work(op->argument);
    pthread_mutex_lock(&lock);
    stream->busy = 0;
    if (failed && !lost) lost = LAUNCH_FAILED;
  }
  stream->first = op->next;
  if (!stream->first) stream->last = NULL;
  free(op);
  pthread_cond_broadcast(&moved);
}

static int run_any(void) {
  Object *ready[64];
  int count = 0;
  for (Object *item = objects; item && count < 64; item = item->next)
    if (is_runnable(item)) ready[count++] = item;
  if (count) run_head(ready[draw(count)]);
  return count;
}

static int is_reached(Object *object, uint64_t turn) {
  return object->kind == EVENT ? object->done >= turn : !object->first;
}

/* Run queues in a random order until the stream is empty or the event reached. */
static Status wait_for_turn(Object *object, uint64_t turn) {
  double begun = now_ms();
  while (!is_reached(object, turn)) {
    if (lost) return lost;
    if (run_any()) continue;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    int busy = 0;
    for (Object *item = objects; item; item = item->next) busy |= item->busy;
    if (!busy || now_ms() - begun > 20000) {
      violate("a wait that never ends", "synchronise");
      return LAUNCH_TIMEOUT;
    }
    pthread_cond_timedwait(&moved, &lock, &until);
  }
  return lost;
}

static void enqueue(Object *stream, Op op) {
  if (stream->capturing) {
    append(&stream->captured, &stream->captured_last, op);
    return;
  }
  if (op.action == COPY && copies) {
    Block *block = block_of(op.to, op.size);
    if (block && !block->device) memset(op.to, UNWRITTEN, op.size); /* nobody may read it yet */
  }
  append(&stream->first, &stream->last, op);
  for (uint64_t eager = draw(4); eager > 1 && !lost; eager--) run_any();
}

static int is_pending(Block *block) {
  for (Object *item = objects; item; item = item->next)
    for (Op *op = item->kind == STREAM ? item->first : NULL; op; op = op->next)
      if (op->action == COPY &&
          (block_of(op->to, op->size) == block || block_of(op->from, op->size) == block))
        return 1;
  return 0;
}

static Status give(size_t size, int device, int mapped, char **result) {
  if (!size) return INVALID_VALUE;
  if (used + (long)size > memory_mib << 20) return OUT_OF_MEMORY;
  Block *block = calloc(1, sizeof *block);
  *block = (Block){aligned_alloc(256, (size + 255) & ~255ul), size, device, mapped, 1, blocks};
  blocks = block;
  memset(block->start, UNWRITTEN, size);
  used += size;
  *result = block->start;
  return OK;
}

static Status take_back(char *start, int device, const char *where) {
  for (Block *block = blocks; block; block = block->next)
    if (block->start == start && block->device == device) {
      if (!block->alive) {
        violate("freed twice", where);
        return INVALID_VALUE;
      }
      if (!lost && is_pending(block)) violate("freed with work pending", where);
      block->alive = 0;
      used -= block->size;
      memset(start, POISON, block->size);
      return OK;
    }
  violate("freed what was never given", where);
  return INVALID_VALUE;
}

static void forget_thread(void *stack_depth) {
  pthread_mutex_lock(&lock);
  pushed -= *(int *)stack_depth;
  pthread_mutex_unlock(&lock);
}

/* ---- control: what tests call ---- */

static long option(const char *options, const char *name, long otherwise) {
  const char *found = options ? strstr(options, name) : NULL;
  return found ? atol(found + strlen(name)) : otherwise;
}

API void double_reset(const char *options) {
  pthread_mutex_lock(&lock);
  for (Object *item = objects, *next; item; item = next) {
    next = item->next;
    drop(&item->first, &item->last);
    drop(&item->captured, &item->captured_last);
    free(item);
  }
  for (Block *block = blocks, *next; block; block = next) {
    next = block->next;
    free(block->start);
    free(block);
  }
  objects = NULL;
  blocks = NULL;
  random_state = 0x9E3779B97F4A7C15ull * (option(options, "seed=", 1) + 1);
  driver_version = option(options, "driver=", 13000);
  devices = option(options, "devices=", 1);
  integrated = option(options, "integrated=", 0);
  pops = option(options, "pops=", 1);
  graphs = option(options, "graphs=", 1);
  copies = option(options, "copies=", 1);
  memory_mib = option(options, "memory=", 1024);
  major = option(options, "major=", 8);
  minor = option(options, "minor=", 7);
  used = retained = pushed = calls = fail_call = fail_status = lost = initialized = 0;
  violations[0] = 0;
  depth = 0;
  pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void load(void) {
  pthread_key_create(&at_exit, forget_thread);
  double_reset(getenv("CUDA_DOUBLE"));
}

/* Make the call-th call from now on, counted from 1, return status. */
API void double_fail(long call, long status) {
  pthread_mutex_lock(&lock);
  fail_call = calls + call;
  fail_status = status;
  pthread_mutex_unlock(&lock);
}

/* The name of the call-th call since the reset, counted from 1. */
API const char *double_name(long call) { return names[call & 0xffff]; }

API void double_violate(const char *what, const char *where) {
  pthread_mutex_lock(&lock);
  violate(what, where);
  pthread_mutex_unlock(&lock);
}

/* Host pointer of device memory, for the fake engine; NULL and a violation if it is not all there. */
API void *double_map(Address address, size_t size) {
  pthread_mutex_lock(&lock);
  Block *block = device_block(address, size, "an engine");
  pthread_mutex_unlock(&lock);
  return block ? host(address) : NULL;
}

/* Queue work on a stream: 1 if it was captured into a graph, 0 if queued, -1 if refused. */
API int double_enqueue(Object *stream, Work work, void *argument) {
  pthread_mutex_lock(&lock);
  int result = -1;
  if (!lost && is_live(stream, STREAM, "an engine")) {
    result = stream->capturing;
    enqueue(stream, (Op){.action = WORK, .work = work, .argument = argument});
  }
  pthread_mutex_unlock(&lock);
  return result;
}

API void double_report(char *text, size_t size) {
  pthread_mutex_lock(&lock);
  long live[KINDS] = {0}, live_blocks = 0, pending = 0;
  for (Object *item = objects; item; item = item->next) {
    live[item->kind] += item->alive;
    pending += item->kind == STREAM && item->first;
  }
  for (Block *block = blocks; block; block = block->next) live_blocks += block->alive;
  snprintf(text, size,
           "{\"calls\": %ld, \"violations\": \"%s\", \"left\": {\"streams\": %ld, \"events\": %ld, "
           "\"graphs\": %ld, \"replays\": %ld, \"modules\": %ld, \"blocks\": %ld, \"bytes\": %ld, \"contexts\": %ld, "
           "\"pushed\": %ld, \"pending\": %ld}}",
           calls, violations, live[STREAM], live[EVENT], live[GRAPH], live[EXEC], live[MODULE], live_blocks, used,
           retained, pushed, pending);
  pthread_mutex_unlock(&lock);
}

/* ---- the driver: start, device, context ---- */

API Status cuInit(unsigned flags) {
  Status status = enter("cuInit", 0);
  if (!status && flags) status = INVALID_VALUE;
  if (!status && !devices) status = NO_DEVICE;
  if (!status) initialized = 1;
  return leave(status);
}

API Status cuDriverGetVersion(int *version) {
  *version = driver_version;
  return OK;
}

API Status cuDeviceGetCount(int *count) {
  Status status = enter("cuDeviceGetCount", 0);
  if (!status) *count = devices;
  return leave(status);
}

API Status cuDeviceGet(int *device, int ordinal) {
  Status status = enter("cuDeviceGet", 0);
  if (!status && (ordinal < 0 || ordinal >= devices)) status = INVALID_DEVICE;
  if (!status) *device = ordinal;
  return leave(status);
}

API Status cuDeviceGetName(char *name, int length, int device) {
  Status status = enter("cuDeviceGetName", 0);
  if (!status) snprintf(name, length, "CUDA double %d", device);
  return leave(status);
}

API Status cuDeviceGetAttribute(int *value, int attribute, int device) {
  Status status = enter("cuDeviceGetAttribute", 0);
  (void)device;
  if (!status)
    switch (attribute) {
      case 18: *value = integrated; break;
      case 19: *value = 1; break; /* can map host memory */
      case 41: *value = 1; break; /* unified addressing */
      case 75: *value = major; break;
      case 76: *value = minor; break;
      default: violate("an attribute the double does not know", "cuDeviceGetAttribute");
               status = INVALID_VALUE;
    }
  return leave(status);
}

API Status cuDeviceGetUuid_v2(char *uuid, int device) {
  Status status = enter("cuDeviceGetUuid", 0);
  for (int place = 0; !status && place < 16; place++) uuid[place] = (char)(16 * device + place);
  return leave(status);
}

API Status cuDevicePrimaryCtxRetain(void **context, int device) {
  Status status = enter("cuDevicePrimaryCtxRetain", 0);
  (void)device;
  if (!status) {
    retained++;
    *context = &context_object;
  }
  return leave(status);
}

API Status cuDevicePrimaryCtxRelease_v2(int device) {
  enter_giving_back("cuDevicePrimaryCtxRelease", 0);
  (void)device;
  if (!retained) violate("released twice", "cuDevicePrimaryCtxRelease");
  else retained--;
  return leave(OK);
}

API Status cuCtxPushCurrent_v2(void *context) {
  Status status = enter("cuCtxPushCurrent", 0);
  if (!status && (context != &context_object || !retained)) {
    violate("unknown context", "cuCtxPushCurrent");
    status = INVALID_CONTEXT;
  }
  if (!status) {
    stack[depth++] = context;
    pushed++;
    pthread_setspecific(at_exit, &depth);
  }
  return leave(status);
}

API Status cuCtxPopCurrent_v2(void **context) {
  enter_giving_back("cuCtxPopCurrent", 0);
  if (!pops) late = OK;
  if (!depth) {
    violate("nothing to pop", "cuCtxPopCurrent");
    return leave(INVALID_CONTEXT);
  }
  *context = stack[--depth];
  pushed--;
  return leave(OK);
}

/* ---- the driver: memory ---- */

API Status cuMemGetInfo_v2(size_t *unused, size_t *total) {
  Status status = enter("cuMemGetInfo", 1);
  if (!status) {
    *total = (size_t)memory_mib << 20;
    *unused = *total - used;
  }
  return leave(status);
}

API Status cuMemAlloc_v2(Address *address, size_t size) {
  Status status = enter("cuMemAlloc", 1);
  char *start = NULL;
  if (!status) status = give(size, 1, 0, &start);
  if (!status) *address = (Address)(uintptr_t)start | TAG;
  return leave(status);
}

API Status cuMemFree_v2(Address address) {
  enter_giving_back("cuMemFree", 1);
  return leave(take_back(host(address), 1, "cuMemFree"));
}

API Status cuMemHostAlloc(void **start, size_t size, unsigned flags) {
  Status status = enter("cuMemHostAlloc", 1);
  return leave(status ? status : give(size, 0, !!(flags & 2), (char **)start));
}

API Status cuMemFreeHost(void *start) {
  enter_giving_back("cuMemFreeHost", 1);
  return leave(take_back(start, 0, "cuMemFreeHost"));
}

API Status cuMemHostGetDevicePointer_v2(Address *address, void *start, unsigned flags) {
  Status status = enter("cuMemHostGetDevicePointer", 1);
  Block *block = block_of(start, 1);
  if (!status && (flags || !block || !block->mapped)) {
    violate("not mapped memory", "cuMemHostGetDevicePointer");
    status = INVALID_VALUE;
  }
  if (!status) *address = (Address)(uintptr_t)start | TAG;
  return leave(status);
}

static Status copy(Object *stream, char *to, const char *from, size_t size, const char *where,
                   Status status) {
  if (!status && !is_live(stream, STREAM, where)) status = INVALID_HANDLE;
  if (!status && (!block_of(to, size) || !block_of(from, size))) {
    violate("copy of memory that is not pinned, freed, or too small", where);
    status = INVALID_VALUE;
  }
  if (!status) enqueue(stream, (Op){.action = COPY, .to = to, .from = from, .size = size});
  return leave(status);
}

API Status cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t size, Object *stream) {
  Status status = enter("cuMemcpyHtoDAsync", 1);
  if (!status && !device_block(to, size, "cuMemcpyHtoDAsync")) status = INVALID_VALUE;
  return copy(stream, host(to), from, size, "cuMemcpyHtoDAsync", status);
}

API Status cuMemcpyDtoHAsync_v2(void *to, Address from, size_t size, Object *stream) {
  Status status = enter("cuMemcpyDtoHAsync", 1);
  if (!status && !device_block(from, size, "cuMemcpyDtoHAsync")) status = INVALID_VALUE;
  return copy(stream, to, host(from), size, "cuMemcpyDtoHAsync", status);
}

/* ---- the driver: streams and events ---- */

API Status cuStreamCreate(Object **stream, unsigned flags) {
  Status status = enter("cuStreamCreate", 1);
  (void)flags;
  if (!status) *stream = make(STREAM);
  return leave(status);
}

API Status cuStreamDestroy_v2(Object *stream) {
  enter_giving_back("cuStreamDestroy", 1);
  if (!is_live(stream, STREAM, "cuStreamDestroy")) return leave(INVALID_HANDLE);
  if (stream->first && !lost) violate("destroyed with work pending", "cuStreamDestroy");
  drop(&stream->first, &stream->last);
  drop(&stream->captured, &stream->captured_last);
  stream->alive = 0;
  return leave(OK);
}

API Status cuStreamSynchronize(Object *stream) {
  Status status = enter("cuStreamSynchronize", 1);
  if (!status && !is_live(stream, STREAM, "cuStreamSynchronize")) status = INVALID_HANDLE;
  if (!status && stream->capturing) {
    stream->broken = 1;
    status = CAPTURE_UNSUPPORTED;
  }
  return leave(status ? status : wait_for_turn(stream, 0));
}

API Status cuEventCreate(Object **event, unsigned flags) {
  Status status = enter("cuEventCreate", 1);
  if (!status) {
    *event = make(EVENT);
    (*event)->timed = !(flags & 2);
  }
  return leave(status);
}

API Status cuEventDestroy_v2(Object *event) {
  enter_giving_back("cuEventDestroy", 1);
  if (!is_live(event, EVENT, "cuEventDestroy")) return leave(INVALID_HANDLE);
  if (event->done < event->recorded && !lost)
    violate("destroyed with work pending", "cuEventDestroy");
  event->alive = 0;
  return leave(OK);
}

API Status cuEventRecord(Object *event, Object *stream) {
  Status status = enter("cuEventRecord", 1);
  int good = !status && is_live(event, EVENT, "cuEventRecord");
  if (!status && !(good && is_live(stream, STREAM, "cuEventRecord"))) status = INVALID_HANDLE;
  if (!status && stream->capturing) status = CAPTURE_UNSUPPORTED;
  if (!status)
    enqueue(stream, (Op){.action = RECORD, .event = event, .turn = ++event->recorded});
  return leave(status);
}

API Status cuEventSynchronize(Object *event) {
  Status status = enter("cuEventSynchronize", 1);
  if (!status && !is_live(event, EVENT, "cuEventSynchronize")) status = INVALID_HANDLE;
  return leave(status ? status : wait_for_turn(event, event->recorded));
}

API Status cuEventElapsedTime_v2(float *ms, Object *start, Object *end) {
  Status status = enter("cuEventElapsedTime", 1);
  int good = !status && is_live(start, EVENT, "cuEventElapsedTime");
  if (!status && !(good && is_live(end, EVENT, "cuEventElapsedTime"))) status = INVALID_HANDLE;
  if (!status && !(start->timed && end->timed && start->recorded && end->recorded))
    status = INVALID_HANDLE;
  if (!status && (start->done < start->recorded || end->done < end->recorded)) status = NOT_READY;
  if (!status) *ms = (float)(end->time_ms - start->time_ms);
  return leave(status);
}

API Status cuEventElapsedTime(float *ms, Object *start, Object *end) {
  return cuEventElapsedTime_v2(ms, start, end);
}

/* ---- the driver: kernels, those of bench/check/kernel.py ---- */

typedef struct Launch {
  Address source, target;
  unsigned count, total;
} Launch;

static int fail(void *unused) {
  (void)unused;
  return 1;
}

static int shade(void *argument) { /* runs without the lock */
  Launch *launch = argument;
  pthread_mutex_lock(&lock);
  Block *from = device_block(launch->source, launch->count, "a kernel");
  Block *to = device_block(launch->target, launch->total, "a kernel");
  unsigned char *source = (unsigned char *)host(launch->source);
  unsigned char *target = (unsigned char *)host(launch->target);
  for (unsigned i = 0; from && to && copies && i < launch->total; i++)
    target[i] = 255 - source[i % launch->count] + i / launch->count;
  pthread_mutex_unlock(&lock);
  return !from || !to;
}

API Status cuModuleLoadData(Object **module, const void *image) {
  Status status = enter("cuModuleLoadData", 1);
  if (!status && !strstr(image, ".entry shade(")) status = INVALID_VALUE;
  if (!status) *module = make(MODULE);
  return leave(status);
}

API Status cuModuleUnload(Object *module) {
  enter_giving_back("cuModuleUnload", 1);
  if (!is_live(module, MODULE, "cuModuleUnload")) return leave(INVALID_HANDLE);
  module->alive = 0;
  return leave(OK);
}

API Status cuModuleGetFunction(Object **function, Object *module, const char *name) {
  Status status = enter("cuModuleGetFunction", 1);
  if (!status && !is_live(module, MODULE, "cuModuleGetFunction")) status = INVALID_HANDLE;
  if (!status && strcmp(name, "shade") && strcmp(name, "fail")) status = NOT_FOUND;
  if (!status) {
    *function = make(FUNCTION);
    (*function)->fails = !strcmp(name, "fail");
  }
  return leave(status);
}

API Status cuLaunchKernel(Object *function, unsigned blocks, unsigned y, unsigned z,
                          unsigned threads, unsigned ty, unsigned tz, unsigned shared,
                          Object *stream, void **values, void **extra) {
  Status status = enter("cuLaunchKernel", 1);
  int good = !status && is_live(function, FUNCTION, "cuLaunchKernel");
  if (!status && !(good && is_live(stream, STREAM, "cuLaunchKernel"))) status = INVALID_HANDLE;
  if (!status && (y * z * ty * tz != 1 || shared || extra || !threads)) status = INVALID_VALUE;
  if (!status && function->fails) {
    enqueue(stream, (Op){.action = WORK, .work = fail});
  } else if (!status) {
    Launch *launch = malloc(sizeof *launch); /* graphs keep it: it stays */
    *launch = (Launch){*(Address *)values[0], *(Address *)values[1], *(unsigned *)values[2],
                       *(unsigned *)values[3]};
    if (launch->total > blocks * threads) violate("too few threads", "cuLaunchKernel");
    enqueue(stream, (Op){.action = WORK, .work = shade, .argument = launch});
  }
  return leave(status);
}

/* ---- the driver: graphs ---- */

API Status cuStreamBeginCapture_v2(Object *stream, int mode) {
  Status status = enter("cuStreamBeginCapture", 1);
  (void)mode;
  if (!status && !is_live(stream, STREAM, "cuStreamBeginCapture")) status = INVALID_HANDLE;
  if (!status && !graphs) status = NOT_SUPPORTED;
  if (!status) {
    stream->capturing = 1;
    stream->broken = 0;
  }
  return leave(status);
}

API Status cuStreamEndCapture(Object *stream, Object **graph) {
  enter_giving_back("cuStreamEndCapture", 1);
  *graph = NULL;
  if (!is_live(stream, STREAM, "cuStreamEndCapture")) return leave(INVALID_HANDLE);
  if (!stream->capturing) return leave(INVALID_VALUE);
  stream->capturing = 0;
  if (stream->broken || late) {
    drop(&stream->captured, &stream->captured_last);
    return leave(late ? OK : CAPTURE_INVALIDATED);
  }
  *graph = make(GRAPH);
  (*graph)->first = stream->captured;
  (*graph)->last = stream->captured_last;
  stream->captured = stream->captured_last = NULL;
  return leave(OK);
}

API Status cuGraphInstantiateWithFlags(Object **replay, Object *graph, unsigned long long flags) {
  Status status = enter("cuGraphInstantiate", 1);
  if (!status && (flags || !is_live(graph, GRAPH, "cuGraphInstantiate"))) status = INVALID_VALUE;
  if (!status) {
    *replay = make(EXEC);
    for (Op *op = graph->first; op && !(graphs == 2 && !op->next); op = op->next)
      append(&(*replay)->first, &(*replay)->last, *op);
  }
  return leave(status);
}

API Status cuGraphLaunch(Object *replay, Object *stream) {
  Status status = enter("cuGraphLaunch", 1);
  int good = !status && is_live(replay, EXEC, "cuGraphLaunch");
  if (!status && !(good && is_live(stream, STREAM, "cuGraphLaunch"))) status = INVALID_HANDLE;
  for (Op *op = status ? NULL : replay->first; op; op = op->next) enqueue(stream, *op);
  return leave(status);
}

static Status destroy(Object *object, Kind kind, const char *where) {
  enter_giving_back(where, 1);
  if (!is_live(object, kind, where)) return leave(INVALID_HANDLE);
  drop(&object->first, &object->last);
  object->alive = 0;
  return leave(OK);
}

API Status cuGraphDestroy(Object *graph) { return destroy(graph, GRAPH, "cuGraphDestroy"); }
API Status cuGraphExecDestroy(Object *item) { return destroy(item, EXEC, "cuGraphExecDestroy"); }

/* ---- the driver: words and symbols ---- */

static const struct { int status; const char *name, *words; } WORDS[] = {
  {OK, "CUDA_SUCCESS", "no error"},
  {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
  {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
  {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
  {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
  {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
  {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
  {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
  {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
  {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
  {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
  {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
  {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
  {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
   "operation not permitted when stream is capturing"},
};

static const char *word(int status, int which) {
  for (size_t item = 0; item < sizeof WORDS / sizeof *WORDS; item++)
    if (WORDS[item].status == status) return which ? WORDS[item].words : WORDS[item].name;
  return which ? "unknown error" : "CUDA_ERROR_UNKNOWN";
}

API Status cuGetErrorName(int status, const char **name) {
  *name = word(status, 0);
  return OK;
}

API Status cuGetErrorString(int status, const char **words) {
  *words = word(status, 1);
  return OK;
}

API Status cuGetProcAddress_v2(const char *symbol, void **found, int version, uint64_t flags,
                               int *state) {
  char newer[256];
  void *self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  (void)version, (void)flags;
  snprintf(newer, sizeof newer, "%s_v2", symbol);
  if (!strcmp(symbol, "cuGraphInstantiate")) strcat(strcpy(newer, symbol), "WithFlags");
  *found = dlsym(self, newer);
  if (!*found) *found = dlsym(self, symbol);
  if (self) dlclose(self);
  if (state) *state = *found ? 0 : 1;
  return *found ? OK : NOT_FOUND;
}
