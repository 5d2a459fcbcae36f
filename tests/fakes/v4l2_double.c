/* A camera at /dev/video7 for programs that this library is preloaded into.
 *
 * It gives the pictures of a file, in a loop, by the streaming calls of Video4Linux (mmap buffers,
 * one format, one size). The descriptor is a timer, so that select, poll and blocking reads are the
 * system's own: each tick is a picture, and ticks that nobody waits for are pictures lost.
 *
 * V4L2_DOUBLE_FILE    raw pictures, or JPEG files, one after the other
 * V4L2_DOUBLE_FORMAT  YUYV, NV12 or MJPG
 * V4L2_DOUBLE_SIZE    WxH: granted whatever is asked
 * V4L2_DOUBLE_RATE    pictures a second
 * V4L2_DOUBLE_FAULT   broken=N  every N-th picture is cut short or overwritten, in turns
 *                     gone=N    after N pictures ENODEV; the next open fails, later ones work
 *                     silent=N  after N pictures no more, until it is opened again
 *                     busy      another program has it
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define DEVICE "/dev/video7"
#define BUFFERS 8
#define OPENS 16
#define MIN_BRIGHTNESS 0
#define MAX_BRIGHTNESS 255

struct buffer {
  unsigned char *memory;
  int queued;
  uint64_t turn; /* the smallest was queued first */
};

struct handle {
  int fd, memory_fd; /* fd 0: this entry is free */
  unsigned count;    /* buffers */
  int streaming, fault;
  uint64_t given, turns; /* of this opening */
  struct buffer buffers[BUFFERS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct handle handles[OPENS];
static struct {
  unsigned char *data;
  size_t *start; /* of each picture, and the end of the last one */
  size_t count, largest;
  unsigned width, height, rate, format;
} film;
static uint64_t next_picture; /* of all openings: they go on where the last one stopped */
static uint64_t sequence;
static int failing_opens; /* of the next ones */
static int fault_used;
static int brightness = 128;

static int real_open(const char *path, int flags, mode_t mode) {
  int (*call)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
  return call(path, flags, mode);
}

static int real_close(int fd) {
  int (*call)(int) = dlsym(RTLD_NEXT, "close");
  return call(fd);
}

static void *real_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  void *(*call)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap");
  return call(at, length, protection, flags, fd, offset);
}

static void die(const char *what) {
  fprintf(stderr, "v4l2_double: %s\n", what);
  abort();
}

static const char *setting(const char *name) {
  const char *value = getenv(name);
  if (!value) die(name);
  return value;
}

/* The N of fault "name=N", 0 where it is not wanted; 1 for a fault without N. */
static unsigned fault(const char *name) {
  const char *value = getenv("V4L2_DOUBLE_FAULT");
  size_t length = strlen(name);
  if (!value || strncmp(value, name, length)) return 0;
  return value[length] == '=' ? (unsigned)atoi(value + length + 1) : 1;
}

static void add_start(size_t at) {
  film.start = realloc(film.start, (film.count + 2) * sizeof *film.start);
  if (film.count && at - film.start[film.count - 1] > film.largest)
    film.largest = at - film.start[film.count - 1];
  film.start[film.count++] = at;
}

static void load_film(void) {
  if (film.data) return;
  const char *letters = setting("V4L2_DOUBLE_FORMAT");
  film.format = v4l2_fourcc(letters[0], letters[1], letters[2], letters[3]);
  film.rate = (unsigned)atoi(setting("V4L2_DOUBLE_RATE"));
  if (sscanf(setting("V4L2_DOUBLE_SIZE"), "%ux%u", &film.width, &film.height) != 2) die("size");
  int fd = real_open(setting("V4L2_DOUBLE_FILE"), O_RDONLY | O_CLOEXEC, 0);
  struct stat facts;
  if (fd < 0 || fstat(fd, &facts)) die("file");
  size_t size = (size_t)facts.st_size;
  film.data = real_mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (film.data == MAP_FAILED) die("file");
  real_close(fd);
  if (film.format == V4L2_PIX_FMT_MJPEG) {
    for (size_t at = 0; at + 2 < size; at++)
      if (!memcmp(film.data + at, "\xff\xd8\xff", 3)) add_start(at);
  } else {
    size_t pixels = (size_t)film.width * film.height;
    size_t picture = film.format == V4L2_PIX_FMT_YUYV ? pixels * 2 : pixels * 3 / 2;
    for (size_t at = 0; at + picture <= size; at += picture) add_start(at);
  }
  if (!film.count) die("no picture in the file");
  add_start(size);
  film.count--;
}

static struct handle *find(int fd) {
  for (int i = 0; i < OPENS; i++)
    if (fd > 0 && handles[i].fd == fd) return &handles[i];
  return NULL;
}

static int fail(int number) {
  errno = number;
  return -1;
}

/* -2: another file, for the system. */
static int open_double(const char *path, int flags) {
  if (!path || strcmp(path, DEVICE)) return -2;
  pthread_mutex_lock(&lock);
  load_film();
  int fd = -1;
  if (failing_opens) {
    failing_opens--;
    errno = ENOENT;
  } else {
    int wanted = TFD_CLOEXEC | (flags & O_NONBLOCK ? TFD_NONBLOCK : 0);
    fd = timerfd_create(CLOCK_MONOTONIC, wanted);
    struct handle *free = NULL;
    for (int i = 0; i < OPENS && !free; i++)
      if (!handles[i].fd) free = &handles[i];
    if (!free) die("opened too often");
    memset(free, 0, sizeof *free);
    free->fd = fd;
    free->memory_fd = -1;
    free->fault = !fault_used;
  }
  pthread_mutex_unlock(&lock);
  return fd;
}

#define OPEN(name)                                         \
  EXPORT int name(const char *path, int flags, ...) {      \
    va_list list;                                          \
    va_start(list, flags);                                 \
    mode_t mode = va_arg(list, mode_t);                    \
    va_end(list);                                          \
    int found = open_double(path, flags);                  \
    return found == -2 ? real_open(path, flags, mode) : found; \
  }
OPEN(open)
OPEN(open64)

EXPORT int __open_2(const char *path, int flags) {
  int found = open_double(path, flags);
  return found == -2 ? real_open(path, flags, 0) : found;
}

EXPORT int __open64_2(const char *path, int flags) { return __open_2(path, flags); }

static size_t stride(void) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (film.largest + page - 1) / page * page;
}

static void free_buffers(struct handle *self) {
  for (unsigned i = 0; i < self->count; i++) munmap(self->buffers[i].memory, stride());
  if (self->memory_fd >= 0) real_close(self->memory_fd);
  memset(self->buffers, 0, sizeof self->buffers);
  self->count = 0;
  self->memory_fd = -1;
}

EXPORT int close(int fd) {
  pthread_mutex_lock(&lock);
  struct handle *self = find(fd);
  if (self) {
    free_buffers(self);
    self->fd = 0;
  }
  pthread_mutex_unlock(&lock);
  return real_close(fd);
}

/* The buffers of one of our descriptors are in a memory file. */
static void *map(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  if (fd > 0) {
    pthread_mutex_lock(&lock);
    struct handle *self = find(fd);
    if (self) fd = self->memory_fd;
    pthread_mutex_unlock(&lock);
  }
  return real_mmap(at, length, protection, flags, fd, offset);
}

EXPORT void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  return map(at, length, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  return map(at, length, protection, flags, fd, offset);
}

static void set_timer(struct handle *self, unsigned rate) {
  struct itimerspec every = {0};
  if (rate) every.it_interval.tv_nsec = every.it_value.tv_nsec = (long)(999999999u / rate);
  timerfd_settime(self->fd, 0, &every, NULL);
}

static void fill_format(struct v4l2_pix_format *pix) {
  memset(pix, 0, sizeof *pix);
  pix->width = film.width;
  pix->height = film.height;
  pix->pixelformat = film.format;
  pix->field = V4L2_FIELD_NONE;
  pix->sizeimage = (unsigned)film.largest;
  if (film.format == V4L2_PIX_FMT_YUYV) pix->bytesperline = film.width * 2;
  if (film.format == V4L2_PIX_FMT_NV12) pix->bytesperline = film.width;
  pix->colorspace = V4L2_COLORSPACE_SRGB;
}

static int request_buffers(struct handle *self, struct v4l2_requestbuffers *wanted) {
  if (wanted->memory != V4L2_MEMORY_MMAP) return fail(EINVAL);
  for (int i = 0; i < OPENS; i++)
    if (handles[i].fd && &handles[i] != self && handles[i].count) return fail(EBUSY);
  free_buffers(self);
  if (wanted->count > BUFFERS) wanted->count = BUFFERS;
  if (!wanted->count) return 0;
  self->memory_fd = memfd_create("v4l2_double", MFD_CLOEXEC);
  if (self->memory_fd < 0 || ftruncate(self->memory_fd, (off_t)(stride() * wanted->count)))
    die("memory");
  for (unsigned i = 0; i < wanted->count; i++) {
    off_t at = (off_t)(stride() * i);
    self->buffers[i].memory =
        real_mmap(NULL, stride(), PROT_READ | PROT_WRITE, MAP_SHARED, self->memory_fd, at);
  }
  self->count = wanted->count;
  return 0;
}

static void describe(struct handle *self, struct v4l2_buffer *buffer) {
  struct buffer *ours = &self->buffers[buffer->index];
  buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  buffer->memory = V4L2_MEMORY_MMAP;
  buffer->length = (unsigned)film.largest;
  buffer->m.offset = (unsigned)(stride() * buffer->index);
  buffer->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
  if (ours->queued) buffer->flags |= V4L2_BUF_FLAG_QUEUED;
}

/* Write picture `number` into `memory`, damaged where it is to be. Returns its bytes. */
static size_t write_picture(uint64_t number, unsigned char *memory) {
  size_t index = number % film.count;
  size_t length = film.start[index + 1] - film.start[index];
  memcpy(memory, film.data + film.start[index], length);
  unsigned every = fault("broken");
  if (!every || (number + 1) % every) return length;
  if ((number + 1) / every % 2) return length / 2;
  if (film.format == V4L2_PIX_FMT_MJPEG) /* after the headers: what a bad cable does */
    for (size_t at = length * 3 / 4; at < length - 2; at++) memory[at] = (unsigned char)(at * 89);
  return length;
}

static int give_picture(struct handle *self, struct v4l2_buffer *buffer, uint64_t ticks) {
  struct buffer *oldest = NULL;
  for (unsigned i = 0; i < self->count; i++)
    if (self->buffers[i].queued && (!oldest || self->buffers[i].turn < oldest->turn))
      oldest = &self->buffers[i];
  if (!oldest || !self->streaming) return fail(EINVAL);
  next_picture += ticks;
  sequence += ticks;
  self->given++;
  oldest->queued = 0;
  buffer->index = (unsigned)(oldest - self->buffers);
  describe(self, buffer);
  buffer->bytesused = (unsigned)write_picture(next_picture - 1, oldest->memory);
  buffer->field = V4L2_FIELD_NONE;
  buffer->sequence = (unsigned)sequence;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  buffer->timestamp.tv_sec = now.tv_sec;
  buffer->timestamp.tv_usec = now.tv_nsec / 1000;
  if (self->fault && fault("silent") && self->given >= fault("silent")) {
    fault_used = 1;
    set_timer(self, 0);
  }
  return 0;
}

static int dequeue(int fd, struct v4l2_buffer *buffer) {
  pthread_mutex_lock(&lock);
  struct handle *self = find(fd);
  int gone = self && self->fault && fault("gone") && self->given >= fault("gone");
  if (gone && !fault_used) fault_used = failing_opens = 1;
  pthread_mutex_unlock(&lock);
  if (gone) return fail(ENODEV);
  uint64_t ticks;
  if (read(fd, &ticks, sizeof ticks) != sizeof ticks) return -1; /* EAGAIN, EINTR */
  pthread_mutex_lock(&lock);
  self = find(fd);
  int result = self ? give_picture(self, buffer, ticks) : fail(EBADF);
  pthread_mutex_unlock(&lock);
  return result;
}

static int enumerate(unsigned long request, void *argument) {
  switch (request) {
  case VIDIOC_ENUM_FMT: {
    struct v4l2_fmtdesc *format = argument;
    if (format->index || format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
    format->pixelformat = film.format;
    format->flags = film.format == V4L2_PIX_FMT_MJPEG ? V4L2_FMT_FLAG_COMPRESSED : 0;
    snprintf((char *)format->description, sizeof format->description, "the only one");
    return 0;
  }
  case VIDIOC_ENUM_FRAMESIZES: {
    struct v4l2_frmsizeenum *size = argument;
    if (size->index || size->pixel_format != film.format) return fail(EINVAL);
    size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
    size->discrete.width = film.width;
    size->discrete.height = film.height;
    return 0;
  }
  case VIDIOC_ENUM_FRAMEINTERVALS: {
    struct v4l2_frmivalenum *interval = argument;
    if (interval->index || interval->pixel_format != film.format) return fail(EINVAL);
    interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
    interval->discrete = (struct v4l2_fract){1, film.rate};
    return 0;
  }
  case VIDIOC_ENUMINPUT: {
    struct v4l2_input *input = argument;
    if (input->index) return fail(EINVAL);
    memset(input, 0, sizeof *input);
    input->type = V4L2_INPUT_TYPE_CAMERA;
    snprintf((char *)input->name, sizeof input->name, "Camera 1");
    return 0;
  }
  }
  return fail(ENOTTY);
}

static int control(unsigned long request, void *argument) {
  if (request == VIDIOC_QUERYCTRL) {
    struct v4l2_queryctrl *query = argument;
    if (query->id != V4L2_CID_BRIGHTNESS) return fail(EINVAL);
    memset(query, 0, sizeof *query);
    query->id = V4L2_CID_BRIGHTNESS;
    query->type = V4L2_CTRL_TYPE_INTEGER;
    query->minimum = MIN_BRIGHTNESS;
    query->maximum = MAX_BRIGHTNESS;
    query->step = 1;
    query->default_value = 128;
    return 0;
  }
  struct v4l2_control *value = argument;
  if (value->id != V4L2_CID_BRIGHTNESS) return fail(EINVAL);
  if (request == VIDIOC_S_CTRL) {
    if (value->value < MIN_BRIGHTNESS || value->value > MAX_BRIGHTNESS) return fail(ERANGE);
    brightness = value->value;
  }
  value->value = brightness;
  return 0;
}

static int answer(struct handle *self, unsigned long request, void *argument) {
  switch (request) {
  case VIDIOC_QUERYCAP: {
    struct v4l2_capability *facts = argument;
    memset(facts, 0, sizeof *facts);
    snprintf((char *)facts->driver, sizeof facts->driver, "v4l2_double");
    snprintf((char *)facts->card, sizeof facts->card, "Double");
    facts->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    facts->capabilities = facts->device_caps | V4L2_CAP_DEVICE_CAPS;
    return 0;
  }
  case VIDIOC_G_FMT:
  case VIDIOC_TRY_FMT:
  case VIDIOC_S_FMT: {
    struct v4l2_format *format = argument;
    if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
    if (request == VIDIOC_S_FMT && (self->streaming || fault("busy"))) return fail(EBUSY);
    fill_format(&format->fmt.pix);
    return 0;
  }
  case VIDIOC_G_PARM:
  case VIDIOC_S_PARM: {
    struct v4l2_streamparm *parameters = argument;
    if (parameters->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
    memset(&parameters->parm, 0, sizeof parameters->parm);
    parameters->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
    parameters->parm.capture.timeperframe = (struct v4l2_fract){1, film.rate};
    return 0;
  }
  case VIDIOC_G_INPUT:
    *(int *)argument = 0;
    return 0;
  case VIDIOC_S_INPUT:
    return *(int *)argument ? fail(EINVAL) : 0;
  case VIDIOC_QUERYCTRL:
  case VIDIOC_G_CTRL:
  case VIDIOC_S_CTRL:
    return control(request, argument);
  case VIDIOC_REQBUFS:
    return fault("busy") ? fail(EBUSY) : request_buffers(self, argument);
  case VIDIOC_QUERYBUF:
  case VIDIOC_QBUF: {
    struct v4l2_buffer *buffer = argument;
    if (buffer->index >= self->count) return fail(EINVAL);
    if (request == VIDIOC_QBUF) {
      if (self->buffers[buffer->index].queued) return fail(EINVAL);
      self->buffers[buffer->index].queued = 1;
      self->buffers[buffer->index].turn = self->turns++;
    }
    describe(self, buffer);
    return 0;
  }
  case VIDIOC_STREAMON:
    self->streaming = 1;
    set_timer(self, film.rate);
    return 0;
  case VIDIOC_STREAMOFF:
    self->streaming = 0;
    set_timer(self, 0);
    for (unsigned i = 0; i < self->count; i++) self->buffers[i].queued = 0;
    return 0;
  }
  return enumerate(request, argument);
}

EXPORT int ioctl(int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  void *argument = va_arg(list, void *);
  va_end(list);
  request &= 0xffffffffu; /* some callers pass it as an int */
  pthread_mutex_lock(&lock);
  struct handle *self = find(fd);
  int ours = self != NULL, result = 0;
  if (self && request != VIDIOC_DQBUF) result = answer(self, request, argument);
  pthread_mutex_unlock(&lock);
  if (!ours) {
    int (*call)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    return call(fd, request, argument);
  }
  return request == VIDIOC_DQBUF ? dequeue(fd, argument) : result;
}
