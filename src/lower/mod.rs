//! Fused kernels to loops: nests, tiles, the partition among threads, and the memory plan.
