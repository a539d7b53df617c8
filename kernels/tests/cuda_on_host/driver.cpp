// A driver's library for tests: memory is the host's, two kernels are functions here, and what the
// variables `FAKE_...` say goes wrong does.

#include <cstdlib>
#include <cstring>
#include <string>

extern "C" {

static int said(const char *name, int otherwise) {
    const char *value = getenv(name);
    return value ? atoi(value) : otherwise;
}

int cuInit(unsigned) { return said("FAKE_INIT", 0); }
int cuDriverGetVersion(int *version) { return *version = said("FAKE_VERSION", 13000), 0; }
int cuDeviceGetCount(int *count) { return *count = said("FAKE_COUNT", 1), 0; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, 0; }
int cuDeviceGetName(char *name, int length, int) { return strncpy(name, "A fake GPU", length), 0; }
// Compute capability 9.0; every other attribute, memory pools among them, is 48 KB.
int cuDeviceGetAttribute(int *value, int attribute, int) {
    return *value = attribute == 75 ? 9 : attribute == 76 ? 0 : 49152, 0;
}
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = (void *)1, 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxGetCurrent(void **context) { return *context = nullptr, 0; }
int cuCtxSetCurrent(void *) { return 0; }
int cuCtxSynchronize() { return 0; }

int cuMemAllocAsync(void **memory, size_t bytes, void *) {
    *memory = malloc(bytes);
    return said("FAKE_ALLOCATION", 0);
}
int cuMemFreeAsync(void *memory, void *) { return free(memory), 0; }
int cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t bytes, void *) {
    return memcpy(to, from, bytes), said("FAKE_COPY", 0);
}
int cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t bytes, void *) {
    return memcpy(to, from, bytes), 0;
}
int cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t bytes, void *) {
    return memcpy(to, from, bytes), 0;
}
int cuMemsetD8Async(void *to, unsigned char value, size_t bytes, void *) {
    return memset(to, value, bytes), 0;
}

int cuEventCreate(void **event, unsigned) { return *event = (void *)1, 0; }
int cuEventRecord(void *, void *) { return 0; }
int cuEventDestroy_v2(void *) { return 0; }
int cuStreamWaitEvent(void *, void *, unsigned) { return 0; }
int cuStreamSynchronize(void *) { return 0; }

int cuModuleLoadData(void **module, const void *) { return *module = (void *)1, 0; }
int cuModuleUnload(void *) { return 0; }
int cuModuleGetFunction(void **function, void *, const char *name) {
    return *function = new std::string(name), 0;
}
int cuFuncSetAttribute(void *, int, int) { return 0; }

int cuLaunchKernel(void *function, unsigned, unsigned, unsigned, unsigned threads, unsigned, unsigned,
                   unsigned, void *, void **arguments, void **) {
    const std::string &name = *(std::string *)function;
    if (said("FAKE_LAUNCH", 0) != 0) return said("FAKE_LAUNCH", 0);
    if (threads != 256) return 1;
    const float *from = *(const float **)arguments[0];
    float *to = *(float **)arguments[1];
    const unsigned count = *(unsigned *)arguments[2], area = *(unsigned *)arguments[3];
    if (name == "plane_means") {
        for (unsigned i = 0; i < count; ++i) to[i] = 2.5f + i;
        return 0;
    }
    if (name != "fill_planes") return 500;
    for (unsigned i = 0; i < count * area; ++i) to[i] = from[i / area];
    return 0;
}

int cuGetErrorName(int, const char **name) { return *name = "an error", 0; }
int cuGetErrorString(int, const char **text) { return *text = "an error", 0; }
}
