/* The random number in [0, 1) of an element. */
NNC_INLINE float nnc_uniform(const struct nnc_context *context, uint32_t stream, int64_t element) {
    uint32_t block[4];
    block[0] = (uint32_t)(element / 4);
    block[1] = stream;
    block[2] = (uint32_t)context->step;
    block[3] = (uint32_t)(context->step >> 32);
    nnc_philox(context->seed, block);
    return (float)(int32_t)(block[element % 4] >> 8) * (1.0f / 16777216.0f);
}
