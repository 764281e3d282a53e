/* The random number in [0, 1) of an element: Philox 4x32-10 (Salmon et al., SC 2011). */
NNC_INLINE float nnc_uniform(const struct nnc_context *context, uint32_t stream, int64_t element) {
    uint32_t key0 = (uint32_t)context->seed, key1 = (uint32_t)(context->seed >> 32);
    uint32_t x = (uint32_t)(element / 4), y = stream;
    uint32_t z = (uint32_t)context->step, w = (uint32_t)(context->step >> 32);
    int32_t round;
    for (round = 0; round < 10; ++round) {
        const uint64_t low = (uint64_t)x * UINT32_C(0xD2511F53);
        const uint64_t high = (uint64_t)z * UINT32_C(0xCD9E8D57);
        x = (uint32_t)(high >> 32) ^ y ^ key0;
        y = (uint32_t)high;
        z = (uint32_t)(low >> 32) ^ w ^ key1;
        w = (uint32_t)low;
        key0 += UINT32_C(0x9E3779B9);
        key1 += UINT32_C(0xBB67AE85);
    }
    {
        const int32_t word = (int32_t)(element % 4);
        const uint32_t value = word == 0 ? x : word == 1 ? y : word == 2 ? z : w;
        return (float)(int32_t)(value >> 8) * (1.0f / 16777216.0f);
    }
}
