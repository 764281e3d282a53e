/* Functions in double precision, for the numbers of a step: learning rates, corrections of means.

   nnc_pow64, nnc_cos64 and nnc_sin64 are those of FreeBSD's msun (e_pow.c, k_cos.c, k_sin.c,
   e_rem_pio2.c) as the crate libm has them, whose bits they give:

   Copyright (C) 1993, 2004 by Sun Microsystems, Inc. All rights reserved.
   Developed at SunPro, a Sun Microsystems, Inc. business. Permission to use, copy, modify, and
   distribute this software is freely granted, provided that this notice is preserved. */

NNC_INLINE uint64_t nnc_bits64(double x) {
    union { double f; uint64_t i; } u;
    u.f = x;
    return u.i;
}

NNC_INLINE double nnc_of_bits64(uint64_t x) {
    union { double f; uint64_t i; } u;
    u.i = x;
    return u.f;
}

NNC_INLINE int32_t nnc_high64(double x) { return (int32_t)(nnc_bits64(x) >> 32); }
NNC_INLINE double nnc_with_high64(double x, int32_t high) {
    return nnc_of_bits64((nnc_bits64(x) & 0xffffffffu) | ((uint64_t)(uint32_t)high << 32));
}
NNC_INLINE double nnc_high_half64(double x) {
    return nnc_of_bits64(nnc_bits64(x) & ~(uint64_t)0xffffffffu);
}

NNC_INLINE double nnc_abs64(double x) { return nnc_of_bits64(nnc_bits64(x) & ~(UINT64_C(1) << 63)); }
NNC_INLINE double nnc_min64(double x, double y) { return x != x || y != y ? x + y : x < y ? x : y; }
NNC_INLINE double nnc_max64(double x, double y) { return x != x || y != y ? x + y : x > y ? x : y; }
NNC_INLINE double nnc_sign64(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x; }

NNC_INLINE double nnc_floor64(double x) {
    double whole;
    if (!(x < 4503599627370496.0 && x > -4503599627370496.0)) {
        return x;
    }
    whole = (double)(int64_t)x;
    return whole == x ? x : whole > x ? whole - 1.0 : whole;
}

NNC_INLINE double nnc_sqrt64(double x) {
#if defined(__GNUC__) && defined(__SSE2__)
    double y;
    __asm__("sqrtsd %1, %0" : "=x"(y) : "x"(x));
    return y;
#elif defined(__GNUC__) && defined(__aarch64__)
    double y;
    __asm__("fsqrt %d0, %d1" : "=w"(y) : "w"(x));
    return y;
#elif defined(__GNUC__) && defined(__arm__) && defined(__ARM_FP)
    double y;
    __asm__("vsqrt.f64 %P0, %P1" : "=w"(y) : "w"(x));
    return y;
#else
    return __builtin_sqrt(x);
#endif
}

/* x * 2^n, for a result that is no normal number. */
NNC_INLINE double nnc_scaled64(double x, int32_t n) {
    if (n < -1022) {
        x *= 2.0041683600089728e-292; /* 2^-969 */
        n += 969;
        if (n < -1022) {
            x *= 2.0041683600089728e-292;
            n += 969;
            n = n < -1022 ? -1022 : n;
        }
    }
    return x * nnc_of_bits64((uint64_t)(n + 1023) << 52);
}

/* log2 of a finite positive number in two parts. */
NNC_INLINE double nnc_log2_64(double ax, double *low) {
    const double bp[2] = {1.0, 1.5}, dp_h[2] = {0.0, 5.84962487220764160156e-01},
                 dp_l[2] = {0.0, 1.35003920212974897128e-08};
    int32_t n = 0, ix = nnc_high64(ax), j, k;
    double u, v, ss, s_h, s_l, t_h, t_l, s2, r, p_h, p_l, z_h, z_l, t, high;
    if (ix < 0x00100000) {
        ax *= 9007199254740992.0;
        n -= 53;
        ix = nnc_high64(ax);
    }
    n += (ix >> 20) - 0x3ff;
    j = ix & 0x000fffff;
    ix = j | 0x3ff00000;
    if (j <= 0x3988E) {
        k = 0;
    } else if (j < 0xBB67A) {
        k = 1;
    } else {
        k = 0;
        n += 1;
        ix -= 0x00100000;
    }
    ax = nnc_with_high64(ax, ix);
    u = ax - bp[k];
    v = 1.0 / (ax + bp[k]);
    ss = u * v;
    s_h = nnc_high_half64(ss);
    t_h = nnc_with_high64(0.0, ((ix >> 1) | 0x20000000) + 0x00080000 + (k << 18));
    t_l = ax - (t_h - bp[k]);
    s_l = v * ((u - s_h * t_h) - s_h * t_l);
    s2 = ss * ss;
    r = s2 * s2 * (5.99999999999994648725e-01 + s2 * (4.28571428578550184252e-01
        + s2 * (3.33333329818377432918e-01 + s2 * (2.72728123808534006489e-01
        + s2 * (2.30660745775561754067e-01 + s2 * 2.06975017800338417784e-01)))));
    r += s_l * (s_h + ss);
    s2 = s_h * s_h;
    t_h = nnc_high_half64(3.0 + s2 + r);
    t_l = r - ((t_h - 3.0) - s2);
    u = s_h * t_h;
    v = s_l * t_h + t_l * ss;
    p_h = nnc_high_half64(u + v);
    p_l = v - (p_h - u);
    z_h = 9.61796700954437255859e-01 * p_h;
    z_l = -7.02846165095275826516e-09 * p_h + p_l * 9.61796693925975554329e-01 + dp_l[k];
    t = (double)n;
    high = nnc_high_half64(((z_h + z_l) + dp_h[k]) + t);
    *low = z_l - (((high - t) - dp_h[k]) - z_h);
    return high;
}

/* 2^(p_h + p_l), for a sum of the high word j. */
NNC_INLINE double nnc_exp2_64(double p_h, double p_l, int32_t j) {
    const int32_t i = j & 0x7fffffff;
    int32_t k = (i >> 20) - 0x3ff, n = 0;
    double t, u, v, z, w, t1, r;
    if (i > 0x3fe00000) {
        n = j + (0x00100000 >> (k + 1));
        k = ((n & 0x7fffffff) >> 20) - 0x3ff;
        t = nnc_with_high64(0.0, n & ~(0x000fffff >> k));
        n = ((n & 0x000fffff) | 0x00100000) >> (20 - k);
        n = j < 0 ? -n : n;
        p_h -= t;
    }
    t = nnc_high_half64(p_l + p_h);
    u = t * 6.93147182464599609375e-01;
    v = (p_l - (t - p_h)) * 6.93147180559945286227e-01 + t * -1.90465429995776804525e-09;
    z = u + v;
    w = v - (z - u);
    t = z * z;
    t1 = z - t * (1.66666666666666019037e-01 + t * (-2.77777777770155933842e-03
        + t * (6.61375632143793436117e-05 + t * (-1.65339022054652515390e-06
        + t * 4.13813679705723846039e-08))));
    r = (z * t1) / (t1 - 2.0) - (w + z * w);
    z = 1.0 - (r - z);
    j = (int32_t)((uint32_t)nnc_high64(z) + ((uint32_t)n << 20));
    return (j >> 20) <= 0 ? nnc_scaled64(z, n) : nnc_with_high64(z, j);
}

/* x^y for what is no special case, and x positive. */
NNC_INLINE double nnc_pow_of_positive64(double x, double y) {
    const double huge = 1.0e300, tiny = 1.0e-300, y1 = nnc_high_half64(y);
    double t1, t2, p_l, p_h, z;
    int32_t j, i;
    const int32_t ix = nnc_high64(x), iy = nnc_high64(y) & 0x7fffffff;
    if (iy > 0x41e00000) {
        const int32_t grows = (ix >= 0x3ff00000) == (y > 0.0);
        if (iy > 0x43f00000 || ix < 0x3fefffff || ix > 0x3ff00000) {
            return grows ? huge * huge : tiny * tiny;
        }
        {
            const double t = x - 1.0;
            const double w = (t * t) * (0.5 - t * (0.3333333333333333333333 - t * 0.25));
            const double u = 1.44269502162933349609e+00 * t;
            const double v = t * 1.92596299112661746887e-08 - w * 1.44269504088896338700e+00;
            t1 = nnc_high_half64(u + v);
            t2 = v - (t1 - u);
        }
    } else {
        t1 = nnc_log2_64(x, &t2);
    }
    p_l = (y - y1) * t1 + y * t2;
    p_h = y1 * t1;
    z = p_l + p_h;
    j = nnc_high64(z);
    i = (int32_t)nnc_bits64(z);
    if (j >= 0x40900000) {
        if (((j - 0x40900000) | i) != 0 || p_l + 8.0085662595372944372e-017 > z - p_h) {
            return huge * huge;
        }
    } else if ((j & 0x7fffffff) >= 0x4090cc00) {
        if (((uint32_t)j - 0xc090cc00u) != 0 || i != 0 || p_l <= z - p_h) {
            return tiny * tiny;
        }
    }
    return nnc_exp2_64(p_h, p_l, j);
}

NNC_INLINE double nnc_pow64(double x, double y) {
    /* Whether y is no whole number, an odd one, an even one. */
    const double half = nnc_abs64(y) * 0.5;
    const int32_t whole = nnc_floor64(y) != y ? 0 : nnc_floor64(half) != half ? 1 : 2;
    const double size = nnc_abs64(x);
    double z;
    if (y == 0.0 || x == 1.0) {
        return 1.0;
    }
    if (x != x || y != y) {
        return x + y;
    }
    if (y - y != 0.0) {
        return size == 1.0 ? 1.0 : (size > 1.0) == (y > 0.0) ? nnc_abs64(y) : 0.0;
    }
    if (y == 1.0 || y == -1.0) {
        return y > 0.0 ? x : 1.0 / x;
    }
    if (y == 2.0) {
        return x * x;
    }
    if (y == 0.5 && !(nnc_bits64(x) >> 63)) {
        return nnc_sqrt64(x);
    }
    if (size == 0.0 || size - size != 0.0 || size == 1.0) {
        z = y < 0.0 ? 1.0 / size : size;
        if (nnc_bits64(x) >> 63) {
            z = size == 1.0 && whole == 0 ? (z - z) / (z - z) : whole == 1 ? -z : z;
        }
        return z;
    }
    if (x < 0.0 && whole == 0) {
        return (x - x) / (x - x);
    }
    z = nnc_pow_of_positive64(size, y);
    return x < 0.0 && whole == 1 ? -z : z;
}

NNC_INLINE double nnc_k_cos64(double x, double y) {
    const double z = x * x, w = z * z, hz = 0.5 * z, one = 1.0 - hz;
    const double r = z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03
        + z * 2.48015872894767294178e-05)) + w * w * (-2.75573143513906633035e-07
        + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11));
    return one + (((1.0 - one) - hz) + (z * r - x * y));
}

NNC_INLINE double nnc_k_sin64(double x, double y, int32_t has_y) {
    const double z = x * x, w = z * z, v = z * x;
    const double r = 8.33333333332248946124e-03 + z * (-1.98412698298579493134e-04
        + z * 2.75573137070700676789e-06) + z * w * (-2.50507602534068634195e-08
        + z * 1.58969099521155010221e-10);
    const double s1 = -1.66666666666666324348e-01;
    return has_y ? x - ((z * (0.5 * y - v * r) - y) - v * s1) : x + v * (s1 + z * r);
}

/* The quadrant of x, and what is left of it in two parts; NaN from 2^20 quarters of a turn on. */
NNC_INLINE int32_t nnc_quadrant64(double x, double *y0, double *y1) {
    const int32_t ix = nnc_high64(x) & 0x7fffffff, ex = ix >> 20;
    const double p1 = 1.57079632673412561417e+00, p1t = 6.07710050650619224932e-11;
    double n, r, w, t;
    const int32_t near = (ix & 0xfffff) == 0x921fb || ix == 0x4012d97c;
    if (ix >= 0x413921fb) {
        *y0 = *y1 = (x - x) / (x - x);
        return 0;
    }
    if (ix <= 0x401c463b && !(near && (ix <= 0x400f6a7a || ix == 0x4012d97c || ix == 0x401921fb))) {
        const int32_t size = ix <= 0x4002d97c ? 1 : ix <= 0x400f6a7a ? 2 : ix <= 0x4015fdbc ? 3 : 4;
        const int32_t signed_size = x > 0.0 ? size : -size;
        const double z = x - (double)signed_size * p1;
        *y0 = z - (double)signed_size * p1t;
        *y1 = (z - *y0) - (double)signed_size * p1t;
        return signed_size;
    }
    n = x * 6.36619772367581382433e-01 + 6755399441055744.0;
    n = n - 6755399441055744.0;
    r = x - n * p1;
    w = n * p1t;
    *y0 = r - w;
    if (ex - ((int32_t)(nnc_bits64(*y0) >> 52) & 0x7ff) > 16) {
        t = r;
        w = n * 6.07710050630396597660e-11;
        r = t - w;
        w = n * 2.02226624879595063154e-21 - ((t - r) - w);
        *y0 = r - w;
        if (ex - ((int32_t)(nnc_bits64(*y0) >> 52) & 0x7ff) > 49) {
            t = r;
            w = n * 2.02226624871116645580e-21;
            r = t - w;
            w = n * 8.47842766036889956997e-32 - ((t - r) - w);
            *y0 = r - w;
        }
    }
    *y1 = (r - *y0) - w;
    return (int32_t)n;
}

NNC_INLINE double nnc_cos64(double x) {
    const int32_t ix = nnc_high64(x) & 0x7fffffff;
    double y0, y1;
    if (ix <= 0x3fe921fb) {
        return ix < 0x3e46a09e ? 1.0 : nnc_k_cos64(x, 0.0);
    }
    switch (nnc_quadrant64(x, &y0, &y1) & 3) {
    case 0: return nnc_k_cos64(y0, y1);
    case 1: return -nnc_k_sin64(y0, y1, 1);
    case 2: return -nnc_k_cos64(y0, y1);
    default: return nnc_k_sin64(y0, y1, 1);
    }
}

NNC_INLINE double nnc_sin64(double x) {
    const int32_t ix = nnc_high64(x) & 0x7fffffff;
    double y0, y1;
    if (ix <= 0x3fe921fb) {
        return ix < 0x3e500000 ? x : nnc_k_sin64(x, 0.0, 0);
    }
    switch (nnc_quadrant64(x, &y0, &y1) & 3) {
    case 0: return nnc_k_sin64(y0, y1, 1);
    case 1: return nnc_k_cos64(y0, y1);
    case 2: return -nnc_k_sin64(y0, y1, 1);
    default: return -nnc_k_cos64(y0, y1);
    }
}
