// Runs one kernel: its launch comes from standard input, what it wrote goes to standard output.
//
// `KERNELS` is the name of a file with a line `RUNS(name)` for each entry point; the tests write it.
#include "shim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

uint3 threadIdx, blockIdx, blockDim, gridDim;
Barrier block_barrier, warp_barriers[32];
uint64_t warp_values[32][32];

#include "device.cuh"

#include "bilinear.cu"
#undef COLUMNS
#undef ROWS
#undef TILE_ROWS
namespace resize_cu {
#include "resize.cu"
}
#undef COLUMNS
#undef ROWS
namespace similarity_cu {
#include "similarity.cu"
}
#undef THREADS
namespace directions_cu {
#include "directions.cu"
}
#undef THREADS
#undef WARPS
namespace distances_cu {
#include "distances.cu"
}
#undef THREADS
#undef WARPS
#undef TILE
#undef DEPTH
namespace filters_cu {
#include "filters.cu"
}
#undef THREADS
namespace gram_cu {
#include "gram.cu"
}

// As much as a block of an H100 may ask for.
constexpr size_t SHARED = 227 * 1024;
// Behind what was asked for, to see whether it stays as it was.
constexpr size_t BEYOND = 4096;
float4 shared_memory[(SHARED + BEYOND) / 16];

constexpr unsigned char GARBAGE = 0xa5;

void fail(const char *what) {
    fprintf(stderr, "%s (block %u %u %u, thread %u)\n", what, blockIdx.x, blockIdx.y, blockIdx.z,
            threadIdx.x);
    _exit(3);
}

static void on_signal(int) { fail("memory that is not the kernel's"); }

// The threads of a block.
struct Fiber {
    jmp_buf at;
    ucontext_t start;
    bool is_new, is_done;
};

static std::vector<Fiber> fibers;
static std::vector<char *> stacks;
static jmp_buf scheduler;
static unsigned current;
static void (*body)(void *);
static void *body_argument;
constexpr size_t STACK = 128 * 1024;

void yield() {
    if (_setjmp(fibers[current].at) == 0) _longjmp(scheduler, 1);
    threadIdx.x = current;
}

static void enter() {
    body(body_argument);
    fibers[current].is_done = true;
    _longjmp(scheduler, 1);
}

static unsigned generations() {
    unsigned sum = block_barrier.generation;
    for (const Barrier &barrier : warp_barriers) sum += barrier.generation;
    return sum;
}

// One block, its threads in the given order.
static void run_block(const std::vector<unsigned> &order, size_t shared) {
    block_barrier = {};
    for (Barrier &barrier : warp_barriers) barrier = {};
    memset(shared_memory, GARBAGE, shared + BEYOND);
    for (Fiber &fiber : fibers) fiber.is_new = true, fiber.is_done = false;
    for (size_t done = 0, before = 0; done < fibers.size(); before = done) {
        const unsigned passed = generations();
        for (unsigned thread : order) {
            Fiber &fiber = fibers[thread];
            if (fiber.is_done) continue;
            current = threadIdx.x = thread;
            if (_setjmp(scheduler) == 0) {
                if (!fiber.is_new) _longjmp(fiber.at, 1);
                fiber.is_new = false;
                getcontext(&fiber.start);
                fiber.start.uc_stack.ss_sp = stacks[thread];
                fiber.start.uc_stack.ss_size = STACK;
                makecontext(&fiber.start, enter, 0);
                setcontext(&fiber.start);
            }
        }
        done = 0;
        for (const Fiber &fiber : fibers) done += fiber.is_done;
        if (done == before && generations() == passed) fail("a barrier that not every thread reaches");
    }
    for (size_t i = 0; i < BEYOND; ++i) {
        if (((unsigned char *)shared_memory)[shared + i] != GARBAGE) fail("more shared memory is used");
    }
}

static void read_all(void *into, size_t bytes) {
    if (bytes > 0 && fread(into, 1, bytes, stdin) != bytes) fail("the launch ends early");
}

template <class T> static T read() {
    T value;
    read_all(&value, sizeof(T));
    return value;
}

// Kinds of arguments, as the tests number them.
enum Kind : uint32_t { INPUT, OUTPUT, NUMBER };

struct Argument {
    Kind kind;
    unsigned char *bytes;
    size_t length;
};

// Memory that ends where a page begins that nobody may touch; inputs are read-only.
static unsigned char *guarded(size_t bytes, Kind kind) {
    const size_t page = sysconf(_SC_PAGESIZE), pages = (bytes + page - 1) / page + 1;
    void *memory =
        mmap(nullptr, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("no memory");
    unsigned char *end = (unsigned char *)memory + pages * page, *begin = end - bytes;
    memset(memory, GARBAGE, pages * page);
    read_all(begin, bytes);
    mprotect(end, page, PROT_NONE);
    if (kind == INPUT) mprotect(memory, pages * page, PROT_READ);
    return begin;
}

static Argument read_argument() {
    const Kind kind = (Kind)read<uint32_t>();
    const size_t length = read<uint64_t>();
    if (kind != NUMBER) return {kind, guarded(length, kind), length};
    unsigned char *bytes = (unsigned char *)malloc(8);
    read_all(bytes, length);
    return {kind, bytes, length};
}

template <class T> struct As {
    static T value(const Argument &argument) {
        if (argument.kind != NUMBER || argument.length != sizeof(T)) fail("another number is expected");
        T value;
        memcpy(&value, argument.bytes, sizeof(T));
        return value;
    }
};

template <class T> struct As<T *> {
    static T *value(const Argument &argument) {
        const Kind expected = std::is_const<T>::value ? INPUT : OUTPUT;
        if (argument.kind != expected) fail("another buffer is expected");
        return (T *)argument.bytes;
    }
};

template <class... Parameters, size_t... At>
static void call(void (*kernel)(Parameters...), const std::vector<Argument> &arguments,
                 std::index_sequence<At...>) {
    kernel(As<Parameters>::value(arguments[At])...);
}

static void check(size_t expected, size_t found) {
    if (expected != found) fail("another number of arguments is expected");
}

template <class... Parameters>
static void run(void (*kernel)(Parameters...), const std::vector<Argument> &arguments) {
    check(sizeof...(Parameters), arguments.size());
    call(kernel, arguments, std::index_sequence_for<Parameters...>());
}

struct Launch {
    std::string name;
    std::vector<Argument> arguments;
};

static void run_thread(void *launch_pointer) {
    const Launch &launch = *(Launch *)launch_pointer;
#define RUNS(entry)                                                                                 \
    if (launch.name == #entry) return run(entry, launch.arguments);
    using namespace resize_cu;
    using namespace similarity_cu;
    using namespace directions_cu;
    using namespace distances_cu;
    using namespace filters_cu;
    using namespace gram_cu;
#include KERNELS
    fail("no such kernel");
}

// 0 ascending, 1 descending, 2 some other.
static std::vector<unsigned> order_of(uint32_t order, unsigned threads) {
    std::vector<unsigned> all(threads);
    for (unsigned i = 0; i < threads; ++i) all[i] = order == 1 ? threads - 1 - i : i;
    uint64_t state = 0x9e3779b97f4a7c15ull;
    for (unsigned i = threads; order == 2 && i > 1; --i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        std::swap(all[i - 1], all[(state >> 33) % i]);
    }
    return all;
}

int main() {
    static char signal_stack[64 * 1024];
    stack_t stack = {signal_stack, 0, sizeof(signal_stack)};
    sigaltstack(&stack, nullptr);
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);

    Launch launch;
    launch.name.resize(read<uint32_t>());
    read_all(&launch.name[0], launch.name.size());
    gridDim.x = read<uint32_t>(), gridDim.y = read<uint32_t>(), gridDim.z = read<uint32_t>();
    blockDim.x = read<uint32_t>(), blockDim.y = blockDim.z = 1;
    const size_t shared = read<uint32_t>();
    if (shared > SHARED) fail("more shared memory than a block has");
    const std::vector<unsigned> order = order_of(read<uint32_t>(), blockDim.x);
    for (uint32_t left = read<uint32_t>(); left > 0; --left) {
        launch.arguments.push_back(read_argument());
    }
    fibers.resize(blockDim.x);
    for (unsigned i = 0; i < blockDim.x; ++i) stacks.push_back((char *)malloc(STACK));
    body = run_thread;
    body_argument = &launch;
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z) {
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y) {
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x) run_block(order, shared);
        }
    }
    for (const Argument &argument : launch.arguments) {
        if (argument.kind == OUTPUT) fwrite(argument.bytes, 1, argument.length, stdout);
    }
    return 0;
}
