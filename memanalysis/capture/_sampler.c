/* Which code holds the memory, from a Poisson sample of the bytes that this process allocates.
 *
 * Followed: the OBJ and MEM domains of CPython (PyMem_SetAllocator) in the main interpreter, and the data of numpy
 * arrays (its default NEP 49 handler). Not the RAW domain: it is called without the GIL, where no frame can be read,
 * and CPython keeps little in it. All else is native memory, which nobody here claims to know.
 *
 * Sampling. Each thread counts bytes down to an exponentially distributed gap of mean `interval`. A block of s bytes is
 * hit with probability p(s) = 1 - exp(-s / interval), independently of all others; a hit block stands for s / p bytes
 * and 1 / p blocks. Sums of these are unbiased, and (s / p)^2 (1 - p) summed over hit blocks is an unbiased estimate of
 * their variance. A realloc is a free and a new block. The exponential has no memory, so a gap may be thrown away and
 * drawn again at any moment: a thread does so when it finds that `epoch` has changed (start, stop, another interval).
 * It checks at each hit and after each CHUNK bytes, never more often: the usual allocation costs one subtraction from a
 * thread-local number and one branch, the usual free one load from a filter of 32 KiB (a second one from the head of
 * its bucket where a neighbour is known), and both end in a jump to the allocator below.
 *
 * Invariants
 *  1. `lock` guards blocks, filter (writes), totals and interval (writes). It is a leaf: while it is held nothing is
 *     called but libm and memset. No memory is allocated and no Python object is made, referenced or released under it,
 *     so a hook that runs inside Python's own code can never wait for itself.
 *  2. stacks, frames and the hooks belong to the main interpreter's GIL: only a thread that holds it reads or changes
 *     them, with or without `lock`.
 *  3. A hook never makes a Python object. It INCREFs three immutable objects (file name, qualified name, line table) of
 *     a place in the code that it meets first, and DECREFs them in sweep(), without `lock`. Only exact str and bytes
 *     are held, whose deallocation runs no code of the program. No code object is kept alive. check() sweeps too.
 *  4. A stack is read from _PyInterpreterFrame, as tracemalloc does: frames that are not complete (before RESUME), that
 *     belong to C, or whose code object is being destroyed (reference count 0) are passed over.
 *  5. Before a block's memory is given back its entry is taken out ("lifted"), so that no other thread can get the same
 *     address while the old entry stands. When realloc fails, the entry is put back.
 *  6. In another interpreter (own GIL or shared) a hook counts bytes and looks frees up, and samples nothing: no frame
 *     is read and no reference taken there. This module refuses to be imported there.
 *  7. Fork: the forking thread holds `lock` across fork(), so that the child finds it free and the tables whole. The
 *     child goes on with all that was live, with another sequence of random numbers.
 *  8. Finalisation: hooks stay. Once the main interpreter is gone no thread state is attached: nothing is sampled, and
 *     frees are looked up in tables that are ours. Py_AtExit empties them without touching an object. A later
 *     Py_Initialize may start again.
 *  9. The allocator found at start is kept in a record that is never freed or changed, and our hook has that record's
 *     ctx as its own: a thread that reads the function and the ctx of two different moments is still right.
 * 10. A hook is taken out only while it is on top; under somebody else's (tracemalloc started after us) it stays and
 *     passes everything through. A probe, one allocation that must arrive, finds whether it is still reached. Who
 *     restores an older allocator over us (tracemalloc started before us and stopped) has cut us off: frees were
 *     missed, so check() drops all blocks, goes on from there, and reports it. What may be stale is never reported.
 * 11. All memory is static, bounded by the MAX_ numbers and touched only as it fills: less than 3 MiB when full, of
 *     which a reading copies at most 2. What would not fit doubles the interval: each block then stays with probability
 *     p_new / p_old, which keeps every sum unbiased.
 * 12. The highest point since a mark: `peak_birth` is the number of the block whose birth raised the estimated total to
 *     its maximum. What was live then is what lives now and is no younger, and what has died since and is no younger:
 *     the list `dead`, whose blocks keep their entries until the next maximum lets them go.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if defined(Py_GIL_DISABLED) || defined(PYPY_VERSION) || PY_VERSION_HEX < 0x030b0000 || PY_VERSION_HEX >= 0x030e0000
#error "the sampler reads the frames of CPython 3.11 to 3.13 with the GIL"
#endif
#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include "_ceiling.h"

#define CHUNK 16384       /* bytes between two checks of the epoch */
#define FILTER_BITS 15    /* one byte each: 32 KiB */
#define MAX_BLOCKS 8192   /* far fewer than cells and buckets; these three fit in 16 bits, and number 0 means none */
#define MAX_STACKS 16384
#define MAX_FRAMES 12288
#define MAX_PLACES 524288 /* frames of all stacks together, each stack having room for max_depth */
#define MAX_DEPTH 128
#define BLOCK_BITS 16     /* of the number of buckets */
#define BUCKET_BITS 14
#define GOLDEN 0x9e3779b97f4a7c15ull  /* 2^64 / golden ratio, spreads numbers */
#define NOINLINE __attribute__((noinline))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)
#define STORE(x, value) atomic_store_explicit(&(x), (value), memory_order_relaxed)
#define LOCKED(...) do { pthread_mutex_lock(&lock); __VA_ARGS__; pthread_mutex_unlock(&lock); } while (0)

typedef struct { int64_t left, rest; uint64_t epoch, random; int probe; } Thread;  /* probe: 1 sent, 2 arrived */
typedef struct { uintptr_t address; uint64_t size : 47, lifted : 1, stack : 16; uint64_t birth; } Block;
/* address 0 and a birth: died after the peak; lifted: its free or realloc is on the way; birth 0: a free entry */
typedef struct { uint64_t hash; int depth; } Stack;
typedef struct { PyObject *file, *name, *table; int first_line, lasti, line; } Frame;
typedef struct { PyCodeObject *code; int lasti; } Place;
typedef struct { double size, count, variance, depth, youngest; } Sum;

static _Thread_local Thread thread;  /* setup.py makes it as cheap as a global variable where that is possible */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t epoch, visitors;  /* epoch: 0 while off */
static _Atomic double interval;
static uint64_t epochs, seed;
static int max_depth, at_exit_is_registered;

static _Atomic uint8_t filter[1 << FILTER_BITS];
static Block blocks[MAX_BLOCKS + 1];
static Stack stacks[MAX_STACKS + 1];  /* number 0 is the empty stack */
static Frame frames[MAX_FRAMES + 1];
static uint16_t places[MAX_PLACES + MAX_DEPTH], block_next[MAX_BLOCKS + 1], stack_next[MAX_STACKS + 1],
    frame_next[MAX_FRAMES + 1], block_buckets[1 << BLOCK_BITS], stack_buckets[1 << BUCKET_BITS],
    frame_buckets[1 << BUCKET_BITS];
static uint8_t stack_used[MAX_STACKS + 1], frame_used[MAX_FRAMES + 1];
static uint16_t free_block, top_block, free_stack, top_stack, free_frame, top_frame, dead;
static size_t n_blocks, n_stacks, n_frames, n_swept, stacks_limit;
static double live_bytes, peak_bytes;
static uint64_t births, peak_birth, n_sampled, n_raised, n_cut_off, n_lookups, n_collected;

/* --- random numbers and weights ------------------------------------------------------------------------------- */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}
static double uniform(void) {  /* in (0, 1] */
    thread.random += GOLDEN;
    return (double)((mix(thread.random) >> 11) + 1) * 0x1p-53;
}
static void set_gap(double gap) {
    int64_t total = gap < 0x1p62 ? (int64_t)gap : INT64_MAX / 2;
    thread.left = total < CHUNK ? total : CHUNK;
    thread.rest = total - thread.left;
}
static double probability(uint64_t size) { return -expm1(-(double)size / LOAD(interval)); }
static int survives_doubling(uint64_t size) {  /* p(2 m) / p(m) = 1 / (1 + exp(-s / 2 m)), m being the interval yet */
    return uniform() * (1 + exp(-(double)size / (2 * LOAD(interval)))) <= 1;
}

static Thread stop_sampling(void) {  /* of this thread, until what this gives is stored again */
    Thread before = thread;
    thread.left = thread.rest = INT64_MAX / 2;
    return before;
}
static void push(uint16_t *list, uint16_t *next, uint16_t id) {
    next[id] = *list;
    *list = id;
}
static uint16_t pop(uint16_t *list, uint16_t *next, uint16_t *top) {  /* a number from the list, or else a new one */
    uint16_t id = *list;
    *list = next[id];  /* next[0] is 0 */
    return id ? id : ++*top;
}

/* --- blocks (under lock) -------------------------------------------------------------------------------------- */
static inline uint64_t hash_address(uintptr_t address) { return (uint64_t)(address >> 4) * GOLDEN; }
static inline _Atomic uint8_t *filter_of(uintptr_t address) {  /* neighbours share a line of the processor's cache */
    return &filter[address >> 6 & ((1 << FILTER_BITS) - 1)];
}
static void step_filter(uintptr_t address, int step) {  /* a counter that reached 255 has lost count and stays */
    uint8_t count = LOAD(*filter_of(address));
    if (count < 255)
        STORE(*filter_of(address), (uint8_t)(count + step));
}
static uint16_t *bucket_of(uintptr_t p) { return &block_buckets[hash_address(p) >> 20 & ((1 << BLOCK_BITS) - 1)]; }
static uint16_t *find_block(uintptr_t address) {  /* the link to it, or the end of the chain where it would be */
    uint16_t *link = bucket_of(address);
    while (*link && blocks[*link].address != address)
        link = &block_next[*link];
    return link;
}
static void link_block(uint16_t id) {
    push(find_block(blocks[id].address), block_next, id);
    step_filter(blocks[id].address, 1);
}
static uint16_t unlink_block(uint16_t *link) {
    uint16_t id = *link;
    *link = block_next[id];
    step_filter(blocks[id].address, -1);
    return id;
}
static void release(uint16_t id) {
    blocks[id].birth = 0;
    push(&free_block, block_next, id);
    n_blocks--;
}

static void bury(uint16_t id) {  /* an unlinked block */
    live_bytes -= (double)blocks[id].size / probability(blocks[id].size);
    blocks[id].address = blocks[id].lifted = 0;
    blocks[id].birth <= peak_birth ? push(&dead, block_next, id) : release(id);
}
static void mark(void) {  /* now is the highest point */
    peak_bytes = live_bytes;
    peak_birth = births;
    while (dead) release(pop(&dead, block_next, &top_block));
}

static void raise_interval(void) {
    double after = LOAD(interval) * 2;
    dead = 0, live_bytes = peak_bytes = 0;
    for (uint16_t id = 1; id <= top_block; id++) {
        Block *b = &blocks[id];
        if (b->birth && !b->lifted && !survives_doubling(b->size)) {
            if (b->address) unlink_block(find_block(b->address));
            release(id);
        }
        if (!b->birth) continue;
        double bytes = -(double)b->size / expm1(-(double)b->size / after);
        live_bytes += b->address ? bytes : 0;
        peak_bytes += b->birth <= peak_birth ? bytes : 0;
        if (!b->address) push(&dead, block_next, id);
    }
    STORE(interval, after), STORE(epoch, ++epochs), n_raised++;
}

static void insert(uintptr_t address, size_t size, uint16_t stack) {
    uint16_t *link = find_block(address);
    if (*link)  /* its free was missed */
        bury(unlink_block(link));
    while (n_blocks == MAX_BLOCKS) {
        int survives = survives_doubling(size);
        raise_interval();
        if (!survives) return;
    }
    uint16_t id = pop(&free_block, block_next, &top_block);
    blocks[id] = (Block){address, size, 0, stack, ++births};
    link_block(id);
    n_blocks++, n_sampled++;
    live_bytes += (double)size / probability(size);
    if (live_bytes > peak_bytes) mark();
}

/* --- stacks (under the main interpreter's GIL) ---------------------------------------------------------------- */
#if PY_VERSION_HEX >= 0x030d0000
#define FIRST_FRAME(state) (state)->current_frame
#define EXECUTABLE f_executable
#define INSTRUCTION instr_ptr
#else
#define FIRST_FRAME(state) ((state)->cframe ? (state)->cframe->current_frame : NULL)
#define EXECUTABLE f_code
#define INSTRUCTION prev_instr
#endif
#define OWNED_BY_C 3  /* FRAME_OWNED_BY_CSTACK since 3.12; no such frames in 3.11 */
static uint64_t hash_place(PyObject *table, int lasti) { return mix((uintptr_t)table + (uint64_t)lasti * GOLDEN); }
static int read_stack(PyThreadState *state, Place *found, uint64_t *hash) {  /* innermost first */
    uint64_t h = 0;
    int n = 0;
    for (_PyInterpreterFrame *f = FIRST_FRAME(state); f && n < max_depth; f = f->previous) {
        PyCodeObject *code = (PyCodeObject *)f->EXECUTABLE;
        if (f->owner == OWNED_BY_C || !code || !PyCode_Check((PyObject *)code) || Py_REFCNT(code) <= 0) continue;
        ptrdiff_t lasti = f->INSTRUCTION - (_Py_CODEUNIT *)code->co_code_adaptive;
        if ((f->owner != FRAME_OWNED_BY_GENERATOR && lasti < code->_co_firsttraceable)
            || !PyUnicode_CheckExact(code->co_filename) || !PyUnicode_CheckExact(code->co_qualname)
            || !PyBytes_CheckExact(code->co_linetable))
            continue;
        found[n++] = (Place){code, (int)lasti};
        h = mix(h + hash_place(code->co_linetable, (int)lasti));
        h ^= (uintptr_t)code->co_filename * 3 + (uintptr_t)code->co_qualname * 5 + (uint64_t)code->co_firstlineno;
    }
    *hash = mix(h + (uint64_t)n);
    return n;
}

static uint16_t find_frame(PyCodeObject *code, int lasti) {
    uint16_t *bucket = &frame_buckets[hash_place(code->co_linetable, lasti) >> (64 - BUCKET_BITS)], id;
    for (id = *bucket; id; id = frame_next[id]) {
        Frame *f = &frames[id];
        if (f->table == code->co_linetable && f->lasti == lasti && f->name == code->co_qualname
            && f->file == code->co_filename && f->first_line == code->co_firstlineno)
            return id;
    }
    id = pop(&free_frame, frame_next, &top_frame);
    frames[id] = (Frame){Py_NewRef(code->co_filename), Py_NewRef(code->co_qualname), Py_NewRef(code->co_linetable),
                         code->co_firstlineno, lasti, PyCode_Addr2Line(code, lasti * (int)sizeof(_Py_CODEUNIT))};
    push(bucket, frame_next, id), n_frames++;
    return id;
}

static void mark_used(void) {  /* under lock: stacks that a block has, and their frames */
    memset(stack_used, 0, sizeof(stack_used)), memset(frame_used, 0, sizeof(frame_used)), n_stacks = n_frames = 0;
    for (size_t i = 1; i <= top_block; i++) {
        size_t id = blocks[i].birth ? blocks[i].stack : 0;
        if (!id || stack_used[id]) continue;
        n_stacks += stack_used[id] = 1;
        for (int k = 0; k < stacks[id].depth; k++) {
            uint16_t frame = places[id * (size_t)max_depth + k];
            n_frames += !frame_used[frame];
            frame_used[frame] = 1;
        }
    }
}

static void sweep(void) {  /* without lock: drop what is not marked */
    memset(stack_buckets, 0, sizeof(stack_buckets)), memset(frame_buckets, 0, sizeof(frame_buckets));
    free_stack = free_frame = 0;
    Thread before = stop_sampling();
    for (uint16_t id = 1; id <= top_stack; id++)
        push(stack_used[id] ? &stack_buckets[stacks[id].hash >> (64 - BUCKET_BITS)] : &free_stack, stack_next, id);
    for (uint16_t id = 1; id <= top_frame; id++) {
        Frame old = frames[id];
        uint16_t *bucket = &frame_buckets[hash_place(old.table, old.lasti) >> (64 - BUCKET_BITS)];
        push(frame_used[id] ? bucket : &free_frame, frame_next, id);
        if (!frame_used[id]) {
            frames[id] = (Frame){0};
            Py_XDECREF(old.file), Py_XDECREF(old.name), Py_XDECREF(old.table);
        }
    }
    thread = before, n_swept = n_frames, n_collected++;
}

static uint16_t find_stack(PyThreadState *state) {
    Place found[MAX_DEPTH];
    uint64_t hash;
    int n = read_stack(state, found, &hash);
    uint16_t *bucket = &stack_buckets[hash >> (64 - BUCKET_BITS)], id;
    for (id = n ? *bucket : 0; id; id = stack_next[id])
        if (stacks[id].hash == hash)  /* equal hashes of 64 bits over pointers that we hold: the same stack */
            return id;
    if (n == 0) return 0;
    if (n_stacks == stacks_limit || n_frames + (size_t)n > MAX_FRAMES) {
        pthread_mutex_lock(&lock);
        mark_used();
        for (; n_stacks > stacks_limit / 4 * 3 || n_frames > MAX_FRAMES / 4 * 3; mark_used())
            raise_interval();  /* nearly all are in use */
        pthread_mutex_unlock(&lock);
        sweep();
    }
    id = pop(&free_stack, stack_next, &top_stack);
    stacks[id] = (Stack){hash, n};
    for (int i = 0; i < n; i++)
        places[id * (size_t)max_depth + i] = find_frame(found[i].code, found[i].lasti);
    push(bucket, stack_next, id), n_stacks++;
    return id;
}

/* --- hooks ---------------------------------------------------------------------------------------------------- */
static void record(void *p, size_t size, int has_gil) {
    PyThreadState *state = _PyThreadState_UncheckedGet();
#if PY_VERSION_HEX < 0x030c0000
    if (!has_gil && state != PyGILState_GetThisThreadState())
        state = NULL;  /* it is the state of whichever thread has the GIL */
#endif
    if (state ? state->interp != PyInterpreterState_Main() : has_gil) return;
    uint16_t stack = state ? find_stack(state) : 0;
    LOCKED(if (LOAD(epoch)) insert((uintptr_t)p, size, stack));
}
static NOINLINE int is_hit(size_t size) {  /* thread.left is below 0 */
    uint64_t now = LOAD(epoch);
    if (thread.probe || !now) {
        thread.probe *= 2, set_gap(CHUNK);
        return 0;
    }
    if (thread.epoch != now) {
        thread.epoch = now, thread.random = mix(seed) + mix(atomic_fetch_add(&visitors, 1));
        set_gap(-log(uniform()) * LOAD(interval));
        thread.left -= (int64_t)size;
    }
    int hit = thread.left + thread.rest < 0;
    set_gap(hit ? -log(uniform()) * LOAD(interval) : (double)(thread.left + thread.rest));
    return hit;
}
static inline int is_due(size_t size) { return UNLIKELY((thread.left -= (int64_t)size) < 0); }
static NOINLINE void *malloc_due(void *(*below)(void *, size_t), void *ctx, size_t size, int has_gil) {
    int hit = is_hit(size);
    void *p = is_refused(size) ? NULL : below(ctx, size);
    if (hit && p) record(p, size, has_gil);
    return p;
}
static NOINLINE uint16_t lift(void *p) {
    uint16_t id = 0;
    LOCKED(n_lookups++; uint16_t *at = find_block((uintptr_t)p); if (*at) id = unlink_block(at), blocks[id].lifted = 1);
    return id;
}
static NOINLINE void land(uint16_t i, int is_freed) {
    LOCKED(if (blocks[i].lifted) is_freed ? bury(i) : link_block(i); blocks[i].lifted = 0);
}
static NOINLINE int has_bucket(void *p) { return __atomic_load_n(bucket_of((uintptr_t)p), __ATOMIC_RELAXED) != 0; }
static inline int may_be_known(void *p) { return UNLIKELY(LOAD(*filter_of((uintptr_t)p))) && has_bucket(p); }

#define HOOKS(name, BELOW, has_gil, FREE_PARAMETERS, FREE_ARGUMENTS)                                          \
    static void *name##_malloc(void *Py_UNUSED(ctx), size_t n) {                                              \
        __auto_type below = (BELOW);                                                                          \
        return is_due(n) ? malloc_due(below->malloc, below->ctx, n, has_gil) : below->malloc(below->ctx, n);  \
    }                                                                                                         \
    static void *name##_calloc(void *Py_UNUSED(ctx), size_t count, size_t n) {                                \
        __auto_type below = (BELOW);                                                                          \
        void *p = is_refused(count * n) ? NULL : below->calloc(below->ctx, count, n);                         \
        if (p && is_due(count * n) && is_hit(count * n)) record(p, count * n, has_gil);                       \
        return p;                                                                                             \
    }                                                                                                         \
    static void *name##_realloc(void *Py_UNUSED(ctx), void *p, size_t n) {                                    \
        __auto_type below = (BELOW);                                                                          \
        uint16_t old = may_be_known(p) ? lift(p) : 0;                                                             \
        void *q = below->realloc(below->ctx, p, n);                                                           \
        if (UNLIKELY(old)) land(old, q != NULL);                                                              \
        if (q && is_due(n) && is_hit(n)) record(q, n, has_gil);                                               \
        return q;                                                                                             \
    }                                                                                                         \
    static NOINLINE void name##_free_known FREE_PARAMETERS {                                                  \
        __auto_type below = (BELOW);                                                                          \
        uint16_t old = lift(p);                                                                               \
        if (old) land(old, 1);                                                                                \
        below->free FREE_ARGUMENTS;                                                                           \
    }                                                                                                         \
    static void name##_free FREE_PARAMETERS {                                                                 \
        __auto_type below = (BELOW);                                                                          \
        may_be_known(p) ? name##_free_known FREE_ARGUMENTS : below->free FREE_ARGUMENTS;                          \
    }

typedef struct {  /* NEP 49, version 1: the same from numpy 1.22 to 2.x */
    void *ctx, *(*malloc)(void *, size_t), *(*calloc)(void *, size_t, size_t), *(*realloc)(void *, void *, size_t);
    void (*free)(void *, void *, size_t);
} NumpyAllocator;
typedef struct { char name[127]; uint8_t version; NumpyAllocator allocator; } NumpyHandler;
static _Atomic(const PyMemAllocatorEx *) chain[2];
static NumpyHandler *numpy;
static NumpyAllocator numpy_below;

HOOKS(mem, LOAD(chain[0]), 1, (void *Py_UNUSED(ctx), void *p), (below->ctx, p))
HOOKS(obj, LOAD(chain[1]), 1, (void *Py_UNUSED(ctx), void *p), (below->ctx, p))
HOOKS(numpy, &numpy_below, 0, (void *Py_UNUSED(ctx), void *p, size_t n), (below->ctx, p, n))
static const PyMemAllocatorDomain domains[2] = {PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
static const PyMemAllocatorEx hooks[2] = {{NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
                                          {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free}};

static int is_reached(int i) {  /* by what Python allocates in this domain, whatever lies above the hook */
    Thread before = thread;
    thread.probe = 1, thread.left = 0;
    void *p = i ? PyObject_Malloc(1) : PyMem_Malloc(1);
    int reached = !p || thread.probe > 1;
    thread = before;
    i ? PyObject_Free(p) : PyMem_Free(p);
    return reached;
}

static int install_where_missing(void) {  /* how many hooks were missing, or -1 without memory */
    int n = 0;
    for (int i = 0; i < 2; i++) {
        PyMemAllocatorEx top, hook = hooks[i], *kept = (PyMemAllocatorEx *)LOAD(chain[i]);
        if (is_reached(i)) continue;
        PyMem_GetAllocator(domains[i], &top);
        if (!kept || memcmp(kept, &top, sizeof(top)) != 0) {
            if (!(kept = malloc(sizeof(*kept)))) return -1;
            *kept = top;
            STORE(chain[i], kept);
        }
        hook.ctx = top.ctx;
        PyMem_SetAllocator(domains[i], &hook);
        n++;
    }
    return n;
}
static void drop_blocks(void) {  /* under lock */
    memset((void *)filter, 0, sizeof(filter)), memset(block_buckets, 0, sizeof(block_buckets));
    memset(blocks, 0, sizeof(blocks[0]) * (top_block + (size_t)1));
    free_block = top_block = dead = 0;
    n_blocks = 0, live_bytes = peak_bytes = 0, peak_birth = births;
}
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }
static void after_fork_in_child(void) {
    seed = mix(seed + (uint64_t)getpid());
    if (LOAD(epoch)) STORE(epoch, ++epochs);
    after_fork();
}

static void reset(void) {
    LOCKED(drop_blocks(), mark_used());
    sweep();
    top_stack = free_stack = top_frame = free_frame = 0;
}
static void at_exit(void) {  /* the objects are gone with their interpreter: they are not released */
    STORE(epoch, 0);
    memset(frames, 0, sizeof(frames));
    reset();
    at_exit_is_registered = 0;
}

/* --- the module ----------------------------------------------------------------------------------------------- */
static PyObject *start(PyObject *Py_UNUSED(module), PyObject *args) {  /* (interval, max_depth, seed) */
    double mean;
    int depth;
    unsigned long long chosen;
    if (!PyArg_ParseTuple(args, "diK:start", &mean, &depth, &chosen)) return NULL;
    if (!(mean >= 1 && mean <= 1e12) || depth < 1 || depth > MAX_DEPTH)
        return PyErr_Format(PyExc_ValueError, "start needs 1 to 1e12 bytes and 1 to %d frames", MAX_DEPTH);
    if (LOAD(epoch)) Py_RETURN_FALSE;  /* another thread was first */
    if ((!at_exit_is_registered && Py_AtExit(at_exit) < 0) || install_where_missing() < 0) return PyErr_NoMemory();
    at_exit_is_registered = 1, max_depth = depth, stacks_limit = Py_MIN(MAX_STACKS, MAX_PLACES / depth), seed = chosen;
    n_sampled = n_raised = n_cut_off = n_lookups = n_collected = 0;
    LOCKED(STORE(visitors, 0), STORE(interval, mean), STORE(epoch, ++epochs), thread.left = 0);
    Py_RETURN_TRUE;
}

static PyObject *stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {
    LOCKED(STORE(epoch, 0));
    for (int i = 0; i < 2; i++) {
        PyMemAllocatorEx top;
        PyMem_GetAllocator(domains[i], &top);
        if (top.malloc == hooks[i].malloc)
            PyMem_SetAllocator(domains[i], (PyMemAllocatorEx *)LOAD(chain[i]));
    }
    if (numpy && numpy->allocator.malloc == numpy_malloc) numpy->allocator = numpy_below;
    reset();
    Py_RETURN_NONE;
}

static PyObject *check(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {  /* whether the hooks had been lost */
    int lost = LOAD(epoch) ? install_where_missing() : 0;
    if (lost < 0) return PyErr_NoMemory();
    if (lost) reset(), n_cut_off++;
    else if (n_frames > 2 * n_swept + 1024) { LOCKED(mark_used()); sweep(); }  /* code compiled again and again */
    return PyBool_FromLong(lost);
}

static PyObject *follow_numpy(PyObject *Py_UNUSED(module), PyObject *capsule) {  /* numpy's _ARRAY_API */
    void **api = PyCapsule_GetPointer(capsule, NULL);
    if (!api) return NULL;
    if (!LOAD(epoch) || ((unsigned int (*)(void))api[211])() < 0x0f) Py_RETURN_FALSE;  /* 1.22 brought the handlers */
    NumpyHandler *handler = PyCapsule_GetPointer(*(PyObject **)api[306], "mem_handler");
    if (!handler) return NULL;
    NumpyAllocator *allocator = &handler->allocator;
    if (allocator->malloc == numpy_malloc) Py_RETURN_TRUE;
    if (handler->version != 1 || strcmp(handler->name, "default_allocator") || (numpy && numpy != handler))
        Py_RETURN_FALSE;
    numpy = handler;
    numpy_below = *allocator;
    *allocator = (NumpyAllocator){numpy_below.ctx, numpy_malloc, numpy_calloc, numpy_realloc, numpy_free};
    Py_RETURN_TRUE;
}

static PyObject *mark_peak(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {
    LOCKED(mark());
    Py_RETURN_NONE;
}

/* Give (interval, max_depth, Sums of the stacks, their places (max_depth numbers of frames each, uint16), lines of the
 * frames (int), their files and names). Only the tuple of the last is tracked by Python's garbage collector, which may
 * run the program: it is made first, so that no stack changes while the rest is copied. */
static PyObject *read_table(PyObject *Py_UNUSED(module), PyObject *of_peak) {
    int is_peak = of_peak == Py_True;
    PyObject *texts = NULL, *bytes[3] = {NULL};
    Py_ssize_t n_lines, n_sums;
    do {
        n_lines = top_frame + 1;
        Py_XSETREF(texts, PyTuple_New(2 * n_lines));
    } while (texts && n_lines != top_frame + 1);
    n_sums = top_stack + 1;
    Thread before = stop_sampling();
    Py_ssize_t sizes[3] = {n_sums * (int)sizeof(Sum), n_sums * max_depth * 2, n_lines * (int)sizeof(int)};
    for (int i = 0; texts && i < 3; i++)
        if (!(bytes[i] = PyBytes_FromStringAndSize(NULL, sizes[i]))) Py_CLEAR(texts);
    thread = before;
    if (!texts) {
        Py_XDECREF(bytes[0]), Py_XDECREF(bytes[1]), Py_XDECREF(bytes[2]);
        return NULL;
    }
    Sum *sums = (Sum *)PyBytes_AS_STRING(bytes[0]);
    memcpy(PyBytes_AS_STRING(bytes[1]), places, (size_t)sizes[1]);
    for (Py_ssize_t i = 0; i < n_sums; i++)
        sums[i] = (Sum){0, 0, 0, stacks[i].depth, 0};
    for (Py_ssize_t i = 0; i < n_lines; i++) {
        ((int *)PyBytes_AS_STRING(bytes[2]))[i] = frames[i].line;
        PyTuple_SET_ITEM(texts, 2 * i, Py_NewRef(frames[i].file ? frames[i].file : Py_None));
        PyTuple_SET_ITEM(texts, 2 * i + 1, Py_NewRef(frames[i].file ? frames[i].name : Py_None));
    }
    pthread_mutex_lock(&lock);
    double mean = LOAD(interval);
    for (size_t i = 1; i <= top_block; i++) {
        Block *b = &blocks[i];
        if (b->birth && (is_peak ? b->birth <= peak_birth : b->address != 0)) {
            double p = probability(b->size), estimate = (double)b->size / p;
            sums[b->stack].size += estimate, sums[b->stack].count += 1 / p;
            sums[b->stack].variance += estimate * estimate * (1 - p);
            if ((double)b->birth > sums[b->stack].youngest) sums[b->stack].youngest = (double)b->birth;
        }
    }
    pthread_mutex_unlock(&lock);
    return Py_BuildValue("(diNNNN)", mean, max_depth, bytes[0], bytes[1], bytes[2], texts);
}

static PyObject *stats(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {
    size_t memory = sizeof(filter) + sizeof(block_buckets) + sizeof(stack_buckets) + sizeof(frame_buckets)
                    + sizeof(stack_used) + sizeof(frame_used) + (sizeof(Block) + 2) * top_block
                    + (sizeof(Stack) + 2 + 2 * (size_t)max_depth) * top_stack + (sizeof(Frame) + 2) * top_frame;
    return Py_BuildValue("{sOsdsisdsdsnsnsnsKsKsKsKsKsKsOsn}", "running", LOAD(epoch) ? Py_True : Py_False,
        "interval_bytes", LOAD(interval), "max_frames", max_depth, "live_bytes", live_bytes, "peak_bytes", peak_bytes,
        "blocks", n_blocks, "stacks", n_stacks, "frames", n_frames, "sampled", n_sampled, "interval_raised", n_raised,
        "cut_off", n_cut_off, "lookups", n_lookups, "collected", n_collected, "births", births,
        "numpy", numpy && numpy->allocator.malloc == numpy_malloc ? Py_True : Py_False, "memory_bytes", memory);
}

static int execute(PyObject *Py_UNUSED(module)) {
    static int forks;
    if (Py_Version >> 16 != PY_VERSION_HEX >> 16 || PyInterpreterState_Get() != PyInterpreterState_Main()
        || (!forks && pthread_atfork(before_fork, after_fork, after_fork_in_child) != 0)) {
        PyErr_SetString(PyExc_ImportError, "only for the main interpreter, of the Python it was compiled for");
        return -1;
    }
    forks = 1;
    return 0;
}

static PyMethodDef methods[] = {
    {"start", start, METH_VARARGS, NULL}, {"stop", stop, METH_NOARGS, NULL}, {"check", check, METH_NOARGS, NULL},
    {"follow_numpy", follow_numpy, METH_O, NULL}, {"mark_peak", mark_peak, METH_NOARGS, NULL},
    {"refuse_above", refuse_above, METH_O, NULL}, {"read_table", read_table, METH_O, NULL},
    {"stats", stats, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL},
};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_sampler", NULL, 0, methods, slots, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__sampler(void) { return PyModuleDef_Init(&definition); }
