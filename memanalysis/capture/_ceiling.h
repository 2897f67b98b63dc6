/* Would this block, once it is filled, take the process above a ceiling of resident memory?
 *
 * The hooks of `_sampler.c` ask before they make a block, and refuse it where the answer is yes. The system's own limit
 * of private memory does not: a C library serves a large block from what was freed to it and given back to the system,
 * which is mapped already and becomes resident again. Resident memory is read at that moment, and again after free
 * memory was given back. Where it cannot be read, nothing is refused. Nor is a block that is small beside the ceiling:
 * who has set it interrupts code that grows by such, and should not meet code that ends by a refusal already.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#define GIVE_BACK() malloc_trim(0)
#else
#define GIVE_BACK() (void)0
#endif

#define ASKED_FROM (1 << 20) /* bytes; above what the sampler's threads count between two checks, so no hook misses it */
#define ASKED_PART 32        /* a smaller part of the ceiling is never refused */

static _Atomic size_t ceiling; /* bytes, 0 without one */

static size_t read_resident(void) { /* bytes, 0 where they are not known */
    char text[128] = "";
    unsigned long long pages = 0;
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t n = read(file, text, sizeof(text) - 1);
    close(file);
    return n > 0 && sscanf(text, "%*s %llu", &pages) == 1 ? (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

static int is_above_ceiling(size_t size, size_t most) {
    size_t before = most > size ? most - size : 0, resident = read_resident();
    if (!resident || resident <= before) return 0;
    GIVE_BACK();
    return read_resident() > before;
}

static inline int is_refused(size_t size) {
    size_t most = atomic_load(&ceiling);
    return most && size >= ASKED_FROM && size >= most / ASKED_PART && is_above_ceiling(size, most);
}

static PyObject *refuse_above(PyObject *Py_UNUSED(module), PyObject *bytes) { /* 0 refuses nothing */
    size_t most = PyLong_AsSize_t(bytes);
    if (PyErr_Occurred()) return NULL;
    atomic_store(&ceiling, most);
    Py_RETURN_NONE;
}
