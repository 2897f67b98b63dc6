/* Writes one line about the signal that ends a process, and lets the signal end it as it would have.

   Invariants:
   - Only signals whose action is the default one are taken, and no other than those that end a process. A handler that
     the program sets later replaces this one; Python still reports that the default action is set.
   - The handler calls nothing but functions that POSIX lists as safe there (signal-safety(7)): open, fstat, write, close,
     getpid, clock_gettime, sigaction, kill. It takes no lock, allocates nothing and never calls Python.
   - When it returns or sends the signal again, the default action is back (SA_RESETHAND): exit status and core file
     are those of the signal itself. A fault of the processor is not sent again: the instruction runs
     once more and faults by itself, so that a core file shows where.
   - Nothing is written in another process than the one that armed: a forked child has its parent's handlers.
   - The file is opened by its path, without making it, and only what was armed for is added: one line, in one write. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 8        /* recorders of one process */
#define TAIL_BYTES 256 /* what the handler adds to a line */
#define NAME_BYTES 16

typedef struct {
    volatile sig_atomic_t is_armed;
    char *path;
    char *line; /* the row as it begins, with room for its end */
    size_t head_bytes;
    dev_t device;
    ino_t inode;
} Slot;

static const struct {
    int number;
    char name[NAME_BYTES];
} SIGNALS[] = {
    {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}, {SIGQUIT, "SIGQUIT"}, {SIGXCPU, "SIGXCPU"}, {SIGABRT, "SIGABRT"},
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"},   {SIGILL, "SIGILL"},
};
#define N_SIGNALS (sizeof SIGNALS / sizeof SIGNALS[0])

static Slot slots[SLOTS];
static pid_t owner;
static volatile sig_atomic_t is_written;

static char *put_text(char *at, const char *text)
{
    while (*text)
        *at++ = *text++;
    return at;
}

static char *put_number(char *at, long number, int digits)
{
    char text[24];
    int n = 0;
    if (number < 0) {
        *at++ = '-';
        number = -number;
    }
    do {
        text[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number || n < digits);
    while (n)
        *at++ = text[--n];
    return at;
}

/* The moment in ISO 8601: days to a date by Howard Hinnant's "days_from_civil", since gmtime is not safe here. */
static char *put_moment(char *at)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    long days = (long)(now.tv_sec / 86400), seconds = (long)(now.tv_sec % 86400);
    long shifted = days + 719468, era = shifted / 146097, day_of_era = shifted - era * 146097;
    long year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    long shifted_month = (5 * day_of_year + 2) / 153, month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    at = put_number(at, year_of_era + era * 400 + (month <= 2), 4);
    at = put_number(put_text(at, "-"), month, 2);
    at = put_number(put_text(at, "-"), day_of_year - (153 * shifted_month + 2) / 5 + 1, 2);
    at = put_number(put_text(at, "T"), seconds / 3600, 2);
    at = put_number(put_text(at, ":"), seconds / 60 % 60, 2);
    at = put_number(put_text(at, ":"), seconds % 60, 2);
    at = put_number(put_text(at, "."), now.tv_nsec / 1000, 6);
    return put_text(at, "Z");
}

static void write_line(Slot *slot, int number, const siginfo_t *info)
{
    char *at = slot->line + slot->head_bytes;
    at = put_text(at, ",\"ended\":\"");
    at = put_moment(at);
    at = put_text(at, "\",\"ending\":{\"how\":\"signal\",\"seen_by\":\"handler\",\"signal\":\"");
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (SIGNALS[i].number == number)
            at = put_text(at, SIGNALS[i].name);
    at = put_text(at, "\"");
    if (info && info->si_code <= 0 && info->si_pid > 0) { /* sent by a process, and not by the kernel */
        at = put_number(put_text(at, ",\"sender_pid\":"), (long)info->si_pid, 1);
        at = put_number(put_text(at, ",\"sender_uid\":"), (long)info->si_uid, 1);
    }
    at = put_text(at, "}}\n");
    int file = open(slot->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0)
        return;
    struct stat status;
    if (fstat(file, &status) == 0 && status.st_dev == slot->device && status.st_ino == slot->inode) {
        ssize_t written = write(file, slot->line, (size_t)(at - slot->line));
        (void)written; /* a full disk: the end stays unknown */
    }
    close(file);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;
    (void)context;
    if (getpid() == owner && !is_written) {
        is_written = 1;
        for (int i = 0; i < SLOTS; i++)
            if (slots[i].is_armed)
                write_line(&slots[i], number, info);
    }
    errno = error;
    int is_fault = number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL;
    if (!is_fault || !info || info->si_code <= 0)
        kill(getpid(), number);
}

static int is_ours(int number)
{
    struct sigaction found;
    return sigaction(number, NULL, &found) == 0 && (found.sa_flags & SA_SIGINFO) && found.sa_sigaction == on_signal;
}

static PyObject *arm(PyObject *module, PyObject *arguments)
{
    const char *path, *head;
    Py_ssize_t path_bytes, head_bytes;
    unsigned long long device, inode;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y#y#KK", &path, &path_bytes, &head, &head_bytes, &device, &inode))
        return NULL;
    if (owner != getpid()) { /* a forked child: what is armed is its parent's */
        for (int i = 0; i < SLOTS; i++)
            slots[i].is_armed = 0;
        owner = getpid();
        is_written = 0;
    }
    int free_slot = 0;
    while (free_slot < SLOTS && slots[free_slot].is_armed)
        free_slot++;
    PyObject *names = PyList_New(0);
    if (!names || free_slot == SLOTS)
        return names ? Py_BuildValue("iN", -1, names) : NULL;
    Slot *slot = &slots[free_slot];
    /* what the slot had before is not freed: a handler of another thread may read it */
    char *new_path = malloc((size_t)path_bytes + 1), *line = malloc((size_t)head_bytes + TAIL_BYTES);
    if (!new_path || !line) {
        free(new_path);
        free(line);
        Py_DECREF(names);
        return PyErr_NoMemory();
    }
    memcpy(new_path, path, (size_t)path_bytes + 1);
    memcpy(line, head, (size_t)head_bytes);
    slot->path = new_path;
    slot->line = line;
    slot->head_bytes = (size_t)head_bytes;
    slot->device = (dev_t)device;
    slot->inode = (ino_t)inode;
    slot->is_armed = 1;
    for (size_t i = 0; i < N_SIGNALS; i++) {
        struct sigaction found, ours;
        if (!is_ours(SIGNALS[i].number)) {
            if (sigaction(SIGNALS[i].number, NULL, &found) != 0 || (found.sa_flags & SA_SIGINFO)
                || found.sa_handler != SIG_DFL)
                continue;
            memset(&ours, 0, sizeof ours);
            ours.sa_sigaction = on_signal;
            ours.sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER | SA_RESTART | SA_ONSTACK;
            sigemptyset(&ours.sa_mask);
            if (sigaction(SIGNALS[i].number, &ours, NULL) != 0)
                continue;
        }
        PyObject *name = PyUnicode_FromString(SIGNALS[i].name);
        if (!name || PyList_Append(names, name) < 0) {
            Py_XDECREF(name);
            Py_DECREF(names);
            return NULL;
        }
        Py_DECREF(name);
    }
    return Py_BuildValue("iN", free_slot, names);
}

static PyObject *disarm(PyObject *module, PyObject *arguments)
{
    int number, is_used = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "i", &number))
        return NULL;
    if (owner == getpid() && number >= 0 && number < SLOTS)
        slots[number].is_armed = 0;
    for (int i = 0; i < SLOTS; i++)
        is_used |= owner == getpid() && slots[i].is_armed;
    for (size_t i = 0; !is_used && i < N_SIGNALS; i++)
        if (is_ours(SIGNALS[i].number))
            signal(SIGNALS[i].number, SIG_DFL);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"arm", arm, METH_VARARGS, "arm(path, head, device, inode) -> (slot, names of the signals that are taken)"},
    {"disarm", disarm, METH_VARARGS, "disarm(slot): with the last one the default actions are back"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_fatal_signals", "Write one line about the signal that ends this process.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__fatal_signals(void)
{
    return PyModule_Create(&definition);
}
