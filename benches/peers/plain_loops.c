/* `models/lenet.nn` on one image in plain loops, a nest an operator over arrays of fixed sizes, channel
   first: what generators such as onnx2c write. Prints the fastest of 200 rounds of 50 calls.

       gcc -O3 -march=native benches/peers/plain_loops.c -o plain_loops && ./plain_loops */

#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>

static float image[1][28][28], weight1[32][1][3][3], bias1[32], conv1[32][26][26], pool1[32][13][13];
static float weight2[64][32][3][3], bias2[64], conv2[64][11][11], pool2[64][5][5];
static float weight3[1600][128], bias3[128], hidden[128], weight4[128][10], bias4[10], logits[10];

/* A convolution of 3×3 without a border, and max(x, 0) behind it. */
#define CONV(NAME, X, W, B, Y, INPUTS, OUTPUTS, SIDE)                              \
    static void NAME(void) {                                                       \
        for (int o = 0; o < OUTPUTS; o++)                                          \
            for (int i = 0; i < SIDE; i++)                                         \
                for (int j = 0; j < SIDE; j++) {                                   \
                    Y[o][i][j] = B[o];                                             \
                    for (int c = 0; c < INPUTS; c++)                               \
                        for (int k = 0; k < 3; k++)                                \
                            for (int l = 0; l < 3; l++)                            \
                                Y[o][i][j] += X[c][i + k][j + l] * W[o][c][k][l];  \
                }                                                                  \
        for (int o = 0; o < OUTPUTS; o++)                                          \
            for (int i = 0; i < SIDE; i++)                                         \
                for (int j = 0; j < SIDE; j++)                                     \
                    Y[o][i][j] = Y[o][i][j] > 0 ? Y[o][i][j] : 0;                  \
    }

/* The largest of each square of 2×2. */
#define POOL(NAME, X, Y, CHANNELS, SIDE)                                           \
    static void NAME(void) {                                                       \
        for (int c = 0; c < CHANNELS; c++)                                         \
            for (int i = 0; i < SIDE; i++)                                         \
                for (int j = 0; j < SIDE; j++) {                                   \
                    float largest = X[c][2 * i][2 * j];                            \
                    for (int k = 0; k < 2; k++)                                    \
                        for (int l = 0; l < 2; l++) {                              \
                            float x = X[c][2 * i + k][2 * j + l];                  \
                            largest = x > largest ? x : largest;                   \
                        }                                                          \
                    Y[c][i][j] = largest;                                          \
                }                                                                  \
    }

/* A product of a row with a matrix, and a bias. */
#define DENSE(NAME, X, W, B, Y, INPUTS, OUTPUTS)                                   \
    static void NAME(const float *x) {                                             \
        for (int o = 0; o < OUTPUTS; o++) {                                        \
            float sum = 0;                                                         \
            for (int i = 0; i < INPUTS; i++) sum += x[i] * W[i][o];                \
            Y[o] = sum + B[o];                                                     \
        }                                                                          \
    }

CONV(first_conv, image, weight1, bias1, conv1, 1, 32, 26)
POOL(first_pool, conv1, pool1, 32, 13)
CONV(second_conv, pool1, weight2, bias2, conv2, 32, 64, 11)
POOL(second_pool, conv2, pool2, 64, 5)
DENSE(first_dense, pool2, weight3, bias3, hidden, 1600, 128)
DENSE(second_dense, hidden, weight4, bias4, logits, 128, 10)

static void predict(void) {
    first_conv();
    first_pool();
    second_conv();
    second_pool();
    first_dense(&pool2[0][0][0]);
    for (int i = 0; i < 128; i++) hidden[i] = hidden[i] > 0 ? hidden[i] : 0;
    second_dense(hidden);
}

static void fill(float *of, int count) {
    for (int i = 0; i < count; i++) of[i] = (float)(i * 7 % 13 - 6) / 64;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(void) {
    double fastest = 1e9;
    fill(&image[0][0][0], 784);
    fill(&weight1[0][0][0][0], 32 * 9);
    fill(&weight2[0][0][0][0], 64 * 32 * 9);
    fill(&weight3[0][0], 1600 * 128);
    fill(&weight4[0][0], 1280);
    for (int round = 0; round < 200; round++) {
        double start = seconds();
        for (int call = 0; call < 50; call++) predict();
        double each = (seconds() - start) / 50;
        fastest = each < fastest ? each : fastest;
    }
    printf("%.1f microseconds, the first logit %g\n", fastest * 1e6, logits[0]);
    return 0;
}
