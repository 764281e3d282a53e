/* Arithmetic of single numbers, alike on every machine. */

#if defined(__FAST_MATH__)
#error "compile without -ffast-math: it changes results"
#endif
#if defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2)
#error "floats are computed with more bits than they have: on 32-bit x86 compile with -msse2 -mfpmath=sse"
#endif

/* No product and sum are to become one operation where none is written. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__) && !defined(__STRICT_ANSI__)
#pragma GCC optimize("fp-contract=off")
#endif

#if defined(__GNUC__)
#define NNC_INLINE static inline __attribute__((always_inline, unused))
#define NNC_INFINITY __builtin_inff()
#define NNC_NAN __builtin_nanf("")
#else
#define NNC_INLINE static inline
#define NNC_INFINITY ((float)1e300)
#define NNC_NAN (NNC_INFINITY - NNC_INFINITY)
#endif

/* The rounds of the next loop do not depend on one another. */
#if defined(__GNUC__) && !defined(__clang__)
#define NNC_VECTOR _Pragma("GCC ivdep")
#else
#define NNC_VECTOR
#endif

/* Denormal numbers count as zero: by the processor's mode, which a call sets and restores; by tests
   where it has none, or where NNC_SOFT_DENORMALS is defined. */
#if defined(__GNUC__) && !defined(NNC_SOFT_DENORMALS)
#if defined(__SSE__) || defined(__aarch64__) || (defined(__arm__) && defined(__ARM_FP))
#define NNC_HARD_DENORMALS
#endif
#endif

/* a * b + c, rounded once: an instruction where the compiler is told of one (-march=native, -mfma),
   else double precision, its sum rounded to odd, so that rounding it again is right. */
#if defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA)
#define NNC_HARD_FMA
#endif

NNC_INLINE int32_t nnc_to_bits(float x) {
    union { float f; int32_t i; } u;
    u.f = x;
    return u.i;
}

NNC_INLINE float nnc_from_bits(int32_t x) {
    union { float f; int32_t i; } u;
    u.i = x;
    return u.f;
}

NNC_INLINE double nnc_fma_odd(float a, float b, float c) {
    union { double f; uint64_t i; } sum;
    const double product = (double)a * (double)b, term = (double)c;
    double of_term, lost;
    sum.f = product + term;
    of_term = sum.f - product;
    lost = (product - (sum.f - of_term)) + (term - of_term);
    if (lost > 0.0 || lost < 0.0) {
        if ((lost > 0.0) != (sum.f > 0.0)) {
            sum.i -= 1;
        }
        sum.i |= 1;
    }
    return sum.f;
}

#if defined(NNC_HARD_DENORMALS)

NNC_INLINE float nnc_add(float a, float b) { return a + b; }
NNC_INLINE float nnc_sub(float a, float b) { return a - b; }
NNC_INLINE float nnc_mul(float a, float b) { return a * b; }
NNC_INLINE float nnc_div(float a, float b) { return a / b; }
NNC_INLINE int32_t nnc_eq(float a, float b) { return a == b; }
NNC_INLINE int32_t nnc_ne(float a, float b) { return a != b; }
NNC_INLINE int32_t nnc_lt(float a, float b) { return a < b; }
NNC_INLINE int32_t nnc_le(float a, float b) { return a <= b; }
NNC_INLINE float nnc_flush(float x) { return x; }

NNC_INLINE float nnc_fma(float a, float b, float c) {
#if defined(NNC_HARD_FMA)
    return __builtin_fmaf(a, b, c);
#else
    return (float)nnc_fma_odd(a, b, c);
#endif
}

#else

#define NNC_SMALLEST 1.17549435e-38f

/* Zero of its sign for a denormal number. */
NNC_INLINE float nnc_flush(float x) {
    return x < NNC_SMALLEST && x > -NNC_SMALLEST ? x * 0.0f : x;
}

/* The nearest float; zero where it is denormal, judged after rounding to 24 bits. */
NNC_INLINE float nnc_rounded(double x) {
    const double limit = (double)NNC_SMALLEST * (1.0 - 1.0 / 33554432.0);
    const float y = (float)x;
    return x < limit && x > -limit ? y * 0.0f : y;
}

NNC_INLINE float nnc_add(float a, float b) { return nnc_flush(nnc_flush(a) + nnc_flush(b)); }
NNC_INLINE float nnc_sub(float a, float b) { return nnc_flush(nnc_flush(a) - nnc_flush(b)); }
NNC_INLINE float nnc_mul(float a, float b) {
    return nnc_rounded((double)nnc_flush(a) * (double)nnc_flush(b));
}
NNC_INLINE float nnc_div(float a, float b) {
    return nnc_rounded((double)nnc_flush(a) / (double)nnc_flush(b));
}
NNC_INLINE float nnc_fma(float a, float b, float c) {
    return nnc_rounded(nnc_fma_odd(nnc_flush(a), nnc_flush(b), nnc_flush(c)));
}
NNC_INLINE int32_t nnc_eq(float a, float b) { return nnc_flush(a) == nnc_flush(b); }
NNC_INLINE int32_t nnc_ne(float a, float b) { return nnc_flush(a) != nnc_flush(b); }
NNC_INLINE int32_t nnc_lt(float a, float b) { return nnc_flush(a) < nnc_flush(b); }
NNC_INLINE int32_t nnc_le(float a, float b) { return nnc_flush(a) <= nnc_flush(b); }

#endif

NNC_INLINE float nnc_select(int32_t condition, float a, float b) { return condition ? a : b; }
NNC_INLINE float nnc_neg(float x) { return -x; }
NNC_INLINE float nnc_abs(float x) { return nnc_from_bits(nnc_to_bits(x) & 0x7fffffff); }

/* The square root. An instruction is written out where the compiler would call `sqrtf` for the
   sake of `errno`; -fno-math-errno makes it one of vectors. */
NNC_INLINE float nnc_sqrt(float x) {
#if defined(__NO_MATH_ERRNO__) || defined(__wasm__)
    return __builtin_sqrtf(nnc_flush(x));
#elif defined(__GNUC__) && defined(__SSE__)
    float y;
    __asm__("sqrtss %1, %0" : "=x"(y) : "x"(nnc_flush(x)));
    return y;
#elif defined(__GNUC__) && defined(__aarch64__)
    float y;
    __asm__("fsqrt %s0, %s1" : "=w"(y) : "w"(nnc_flush(x)));
    return y;
#elif defined(__GNUC__) && defined(__arm__) && defined(__ARM_FP)
    float y;
    __asm__("vsqrt.f32 %0, %1" : "=t"(y) : "t"(nnc_flush(x)));
    return y;
#else
    /* Digit by digit: the root of the fraction as a whole number, rounded by the remainder. */
    uint32_t bits, root = 0, bit = UINT32_C(1) << 25;
    uint64_t rest, square = 0;
    int32_t exponent;
    x = nnc_flush(x);
    if (!(x > 0.0f) || x > 3.40282347e38f) {
        return x < 0.0f ? NNC_NAN : x;
    }
    bits = (uint32_t)nnc_to_bits(x);
    exponent = (int32_t)(bits >> 23) - 127;
    rest = (uint64_t)((bits & 0x7fffffu) | 0x800000u) << (exponent & 1 ? 28 : 27);
    exponent = (exponent - (exponent & 1)) / 2;
    for (; bit != 0; bit >>= 1) {
        const uint64_t next = (uint64_t)(root | bit) * (root | bit);
        if (next <= rest) {
            root |= bit;
            square = next;
        }
    }
    root |= (uint32_t)(square != rest);
    root = (root >> 2) + ((root & 3) > 2 || (root & 7) == 6 ? 1 : 0);
    return nnc_from_bits((int32_t)(root + ((uint32_t)(exponent + 126) << 23)));
#endif
}

/* The largest whole number that is not larger. */
NNC_INLINE float nnc_floor(float x) {
#if defined(__SSE4_1__) || defined(__aarch64__) || defined(__wasm__)
    return __builtin_floorf(nnc_flush(x));
#else
    float whole;
    x = nnc_flush(x);
    if (!(x < 8388608.0f && x > -8388608.0f)) {
        return x;
    }
    whole = (float)(int32_t)x;
    return whole == x ? x : whole > x ? whole - 1.0f : whole;
#endif
}

/* Integers wrap around. */
NNC_INLINE int32_t nnc_iadd(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
NNC_INLINE int32_t nnc_isub(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
NNC_INLINE int32_t nnc_imul(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
NNC_INLINE int32_t nnc_ishl(int32_t a, int32_t bits) { return (int32_t)((uint32_t)a << bits); }
NNC_INLINE int32_t nnc_imin(int32_t a, int32_t b) { return a < b ? a : b; }
NNC_INLINE int32_t nnc_imax(int32_t a, int32_t b) { return a > b ? a : b; }
NNC_INLINE int32_t nnc_idiv(int32_t a, int32_t b) {
    return b == 0 ? 0 : b == -1 ? nnc_isub(0, a) : a / b;
}

/* The whole part of a float, the nearest one that there is, 0 for NaN. */
NNC_INLINE int32_t nnc_to_int(float x) {
    return x >= 2147483648.0f    ? INT32_MAX
           : x <= -2147483648.0f ? INT32_MIN
           : x == x              ? (int32_t)x
                                 : 0;
}

/* Four random words in place of a counter: Philox 4x32-10 (Salmon et al., SC 2011). */
NNC_INLINE void nnc_philox(uint64_t seed, uint32_t block[4]) {
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    int32_t round;
    for (round = 0; round < 10; ++round) {
        const uint64_t low = (uint64_t)block[0] * UINT32_C(0xD2511F53);
        const uint64_t high = (uint64_t)block[2] * UINT32_C(0xCD9E8D57);
        block[0] = (uint32_t)(high >> 32) ^ block[1] ^ key0;
        block[1] = (uint32_t)high;
        block[2] = (uint32_t)(low >> 32) ^ block[3] ^ key1;
        block[3] = (uint32_t)low;
        key0 += UINT32_C(0x9E3779B9);
        key1 += UINT32_C(0xBB67AE85);
    }
}

/* What a call knows besides its buffers. */
struct nnc_context {
    uint64_t seed, step;
    uint32_t bad_site;
    ptrdiff_t bad_element;
};

/* An index from data: 0 in place of one that is out of range, which the call will report. */
NNC_INLINE int32_t nnc_checked(struct nnc_context *context, int32_t index, int32_t bound,
                               uint32_t site, ptrdiff_t element) {
    if (index >= 0 && index < bound) {
        return index;
    }
    if (context->bad_site == 0) {
        context->bad_site = site + 1;
        context->bad_element = element;
    }
    return 0;
}

/* The denormals' mode while a call computes. */
#if defined(NNC_HARD_DENORMALS) && defined(__SSE__)
typedef unsigned int nnc_mode;
NNC_INLINE nnc_mode nnc_begin(void) {
    nnc_mode before, within;
    __asm__ __volatile__("stmxcsr %0" : "=m"(before) : : "memory");
    within = before | 0x8040u;
    __asm__ __volatile__("ldmxcsr %0" : : "m"(within) : "memory");
    return before;
}
NNC_INLINE void nnc_end(nnc_mode before) {
    __asm__ __volatile__("ldmxcsr %0" : : "m"(before) : "memory");
}
#elif defined(NNC_HARD_DENORMALS) && defined(__aarch64__)
typedef uint64_t nnc_mode;
NNC_INLINE nnc_mode nnc_begin(void) {
    nnc_mode before;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(before) : : "memory");
    __asm__ __volatile__("msr fpcr, %0" : : "r"(before | (UINT64_C(1) << 24)) : "memory");
    return before;
}
NNC_INLINE void nnc_end(nnc_mode before) {
    __asm__ __volatile__("msr fpcr, %0" : : "r"(before) : "memory");
}
#elif defined(NNC_HARD_DENORMALS)
typedef uint32_t nnc_mode;
NNC_INLINE nnc_mode nnc_begin(void) {
    nnc_mode before;
    __asm__ __volatile__("vmrs %0, fpscr" : "=r"(before) : : "memory");
    __asm__ __volatile__("vmsr fpscr, %0" : : "r"(before | (UINT32_C(1) << 24)) : "memory");
    return before;
}
NNC_INLINE void nnc_end(nnc_mode before) {
    __asm__ __volatile__("vmsr fpscr, %0" : : "r"(before) : "memory");
}
#else
typedef int nnc_mode;
NNC_INLINE nnc_mode nnc_begin(void) { return 0; }
NNC_INLINE void nnc_end(nnc_mode before) { (void)before; }
#endif
