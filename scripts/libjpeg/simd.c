// What takes the most time of libjpeg-turbo's decoder, for WebAssembly's vectors: the
// accurate inverse DCT, fancy upsampling of 2x1 and 2x2, and colours. Results are to the bit those
// of its own functions in C, of all that an encoder writes.

#define jsimd_can_idct_islow none_can_idct_islow
#define jsimd_idct_islow none_idct_islow
#define jsimd_can_h2v2_fancy_upsample none_can_h2v2_fancy_upsample
#define jsimd_h2v2_fancy_upsample none_h2v2_fancy_upsample
#define jsimd_can_h2v1_fancy_upsample none_can_h2v1_fancy_upsample
#define jsimd_h2v1_fancy_upsample none_h2v1_fancy_upsample
#define jsimd_can_ycc_rgb none_can_ycc_rgb
#define jsimd_ycc_rgb_convert none_ycc_rgb_convert
#include "jsimd_none.c"
#undef jsimd_can_idct_islow
#undef jsimd_idct_islow
#undef jsimd_can_h2v2_fancy_upsample
#undef jsimd_h2v2_fancy_upsample
#undef jsimd_can_h2v1_fancy_upsample
#undef jsimd_h2v1_fancy_upsample
#undef jsimd_can_ycc_rgb
#undef jsimd_ycc_rgb_convert

#include <wasm_simd128.h>

int jsimd_can_idct_islow(void) { return 1; }
int jsimd_can_h2v1_fancy_upsample(void) { return 1; }
int jsimd_can_h2v2_fancy_upsample(void) { return 1; }
int jsimd_can_ycc_rgb(void) { return 1; }

// A number of jidctint.c, of 13 bits behind the point.
#define FIX(x) ((short)((x) * 8192 + ((x) < 0 ? -0.5 : 0.5)))

typedef struct {
	v128_t low, high; // of eight 32-bit values
} wide;

static inline wide add(wide a, wide b) { return (wide){wasm_i32x4_add(a.low, b.low), wasm_i32x4_add(a.high, b.high)}; }
static inline wide sub(wide a, wide b) { return (wide){wasm_i32x4_sub(a.low, b.low), wasm_i32x4_sub(a.high, b.high)}; }

// interleave makes pairs of the elements of two vectors.
static inline wide interleave(v128_t a, v128_t b)
{
	return (wide){wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11), wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)};
}

// dot multiplies pairs by x and y, and adds the two.
static inline wide dot(wide pairs, short x, short y)
{
	const v128_t by = wasm_i16x8_make(x, y, x, y, x, y, x, y);
	return (wide){wasm_i32x4_dot_i16x8(pairs.low, by), wasm_i32x4_dot_i16x8(pairs.high, by)};
}

// scaled has bits behind the point.
static inline wide scaled(v128_t a, int bits)
{
	return (wide){wasm_i32x4_shl(wasm_i32x4_extend_low_i16x8(a), bits), wasm_i32x4_shl(wasm_i32x4_extend_high_i16x8(a), bits)};
}

static inline v128_t rounded(wide a, int bits)
{
	const v128_t half = wasm_i32x4_splat(1 << (bits - 1));
	return wasm_i16x8_narrow_i32x4(wasm_i32x4_shr(wasm_i32x4_add(a.low, half), bits), wasm_i32x4_shr(wasm_i32x4_add(a.high, half), bits));
}

// pass does one of the two passes of jidctint.c on eight columns at once; bits are taken
// off.
static inline __attribute__((always_inline)) void pass(v128_t r[8], int bits)
{
	const wide even = interleave(r[2], r[6]);
	const wide t2 = dot(even, FIX(0.541196100), FIX(0.541196100) + FIX(-1.847759065));
	const wide t3 = dot(even, FIX(0.541196100) + FIX(0.765366865), FIX(0.541196100));
	const wide t0 = scaled(wasm_i16x8_add(r[0], r[4]), 13), t1 = scaled(wasm_i16x8_sub(r[0], r[4]), 13);
	const wide e0 = add(t0, t3), e3 = sub(t0, t3), e1 = add(t1, t2), e2 = sub(t1, t2);

	const wide sums = interleave(wasm_i16x8_add(r[7], r[3]), wasm_i16x8_add(r[5], r[1]));
	const wide z3 = dot(sums, FIX(1.175875602) + FIX(-1.961570560), FIX(1.175875602));
	const wide z4 = dot(sums, FIX(1.175875602), FIX(1.175875602) + FIX(-0.390180644));
	const wide outer = interleave(r[7], r[1]), inner = interleave(r[5], r[3]);
	const wide o0 = add(dot(outer, FIX(0.298631336) + FIX(-0.899976223), FIX(-0.899976223)), z3);
	const wide o3 = add(dot(outer, FIX(-0.899976223), FIX(1.501321110) + FIX(-0.899976223)), z4);
	const wide o1 = add(dot(inner, FIX(2.053119869) + FIX(-2.562915447), FIX(-2.562915447)), z4);
	const wide o2 = add(dot(inner, FIX(-2.562915447), FIX(3.072711026) + FIX(-2.562915447)), z3);

	r[0] = rounded(add(e0, o3), bits);
	r[7] = rounded(sub(e0, o3), bits);
	r[1] = rounded(add(e1, o2), bits);
	r[6] = rounded(sub(e1, o2), bits);
	r[2] = rounded(add(e2, o1), bits);
	r[5] = rounded(sub(e2, o1), bits);
	r[3] = rounded(add(e3, o0), bits);
	r[4] = rounded(sub(e3, o0), bits);
}

static inline __attribute__((always_inline)) void transpose(v128_t r[8])
{
	const wide a = interleave(r[0], r[4]), b = interleave(r[1], r[5]), c = interleave(r[2], r[6]), d = interleave(r[3], r[7]);
	const wide ac = interleave(a.low, c.low), bd = interleave(b.low, d.low), ac2 = interleave(a.high, c.high), bd2 = interleave(b.high, d.high);
	const wide w0 = interleave(ac.low, bd.low), w1 = interleave(ac.high, bd.high), w2 = interleave(ac2.low, bd2.low), w3 = interleave(ac2.high, bd2.high);
	r[0] = w0.low, r[1] = w0.high, r[2] = w1.low, r[3] = w1.high, r[4] = w2.low, r[5] = w2.high, r[6] = w3.low, r[7] = w3.high;
}

void jsimd_idct_islow(j_decompress_ptr d, jpeg_component_info *c, JCOEFPTR block, JSAMPARRAY rows, JDIMENSION column)
{
	const ISLOW_MULT_TYPE *table = c->dct_table;
	v128_t r[8], rest;
	for (int i = 0; i < 8; i++)
		r[i] = wasm_v128_load(block + 8 * i);
	rest = wasm_v128_or(wasm_v128_or(wasm_v128_or(r[1], r[2]), wasm_v128_or(r[3], r[4])), wasm_v128_or(wasm_v128_or(r[5], r[6]), r[7]));
	for (int i = 0; i < 8; i++)
		r[i] = wasm_i16x8_mul(r[i], wasm_v128_load(table + 8 * i));
	if (wasm_v128_any_true(rest)) {
		pass(r, 11);
		transpose(r);
	} else {
		const v128_t first = wasm_i16x8_shl(r[0], 2);
		for (int i = 0; i < 8; i++)
			r[i] = wasm_i16x8_splat(0);
		r[0] = first;
		transpose(r);
		for (int i = 0; i < 8; i++)
			r[i] = wasm_i16x8_shuffle(r[i], r[i], 0, 0, 0, 0, 0, 0, 0, 0);
	}
	pass(r, 18);
	transpose(r);
	for (int i = 0; i < 8; i += 2) {
		const v128_t pixels = wasm_i8x16_add(wasm_i8x16_narrow_i16x8(r[i], r[i + 1]), wasm_i8x16_splat(-128));
		wasm_v128_store64_lane(rows[i] + column, pixels, 0);
		wasm_v128_store64_lane(rows[i + 1] + column, pixels, 1);
	}
}

static inline v128_t thrice(v128_t x) { return wasm_i16x8_mul(x, wasm_i16x8_splat(3)); }

// spread stores two pixels for each of eight places of a row: three parts of it, one of
// what is before or behind, and what rounds, which shift then takes off.
static inline void spread(v128_t here, v128_t before, v128_t behind, int round, int round2, int shift, JSAMPLE *out)
{
	const v128_t three = thrice(here);
	const v128_t even = wasm_u16x8_shr(wasm_i16x8_add(wasm_i16x8_add(three, before), wasm_i16x8_splat(round)), shift);
	const v128_t odd = wasm_u16x8_shr(wasm_i16x8_add(wasm_i16x8_add(three, behind), wasm_i16x8_splat(round2)), shift);
	wasm_v128_store(out, wasm_v128_or(even, wasm_i16x8_shl(odd, 8)));
}

// Rows have room for whole vectors, and may be read a place before and behind; the pixels
// that are made of these are made again.
static void upsample_row(const JSAMPLE *in, int width, JSAMPLE *out)
{
	for (int i = 0; i < width; i += 8)
		spread(wasm_u16x8_load8x8(in + i), wasm_u16x8_load8x8(in + i - 1), wasm_u16x8_load8x8(in + i + 1), 1, 2, 2, out + 2 * i);
	out[0] = in[0];
	out[2 * width - 1] = in[width - 1];
}

// columns are sums of two rows, three parts of the nearer one.
static inline v128_t columns(const JSAMPLE *near, const JSAMPLE *far) { return wasm_i16x8_add(thrice(wasm_u16x8_load8x8(near)), wasm_u16x8_load8x8(far)); }

static void upsample_rows(const JSAMPLE *near, const JSAMPLE *far, int width, JSAMPLE *out)
{
	for (int i = 0; i < width; i += 8)
		spread(columns(near + i, far + i), columns(near + i - 1, far + i - 1), columns(near + i + 1, far + i + 1), 8, 7, 4, out + 2 * i);
	out[0] = (4 * (3 * near[0] + far[0]) + 8) >> 4;
	out[2 * width - 1] = (4 * (3 * near[width - 1] + far[width - 1]) + 7) >> 4;
}

void jsimd_h2v1_fancy_upsample(j_decompress_ptr d, jpeg_component_info *c, JSAMPARRAY in, JSAMPARRAY *out)
{
	for (int i = 0; i < d->max_v_samp_factor; i++)
		upsample_row(in[i], c->downsampled_width, (*out)[i]);
}

void jsimd_h2v2_fancy_upsample(j_decompress_ptr d, jpeg_component_info *c, JSAMPARRAY in, JSAMPARRAY *out)
{
	for (int i = 0; i < d->max_v_samp_factor; i += 2) {
		upsample_rows(in[i / 2], in[i / 2 - 1], c->downsampled_width, (*out)[i]);
		upsample_rows(in[i / 2], in[i / 2 + 1], c->downsampled_width, (*out)[i + 1]);
	}
}

// chroma is x·a + y·b of 16 bits behind the point, rounded.
static inline v128_t chroma(v128_t x, short a, v128_t y, short b)
{
	wide sum = dot(interleave(x, y), a, b);
	const v128_t half = wasm_i32x4_splat(1 << 15);
	return wasm_i16x8_narrow_i32x4(wasm_i32x4_shr(wasm_i32x4_add(sum.low, half), 16), wasm_i32x4_shr(wasm_i32x4_add(sum.high, half), 16));
}

// jsimd_ycc_rgb_convert is jdcolor.c's, for pixels of four bytes in the order of RGBA. 1.402 is
// 1 + 26345/65536, 1.772 is 2 - 14942/65536, 0.34414 is 22554/65536, and 0.71414 is 1 - 18734/65536.
void jsimd_ycc_rgb_convert(j_decompress_ptr d, JSAMPIMAGE in, JDIMENSION row, JSAMPARRAY out, int rows)
{
	for (int k = 0; k < rows; k++) {
		const JSAMPLE *luma = in[0][row + k], *blue = in[1][row + k], *red = in[2][row + k];
		JSAMPLE pixels[32], *to = out[k];
		for (int i = 0, left = d->output_width; left > 0; i += 8, left -= 8) {
			const v128_t y = wasm_u16x8_load8x8(luma + i);
			const v128_t cb = wasm_i16x8_sub(wasm_u16x8_load8x8(blue + i), wasm_i16x8_splat(128));
			const v128_t cr = wasm_i16x8_sub(wasm_u16x8_load8x8(red + i), wasm_i16x8_splat(128));
			const v128_t r = wasm_i16x8_add(wasm_i16x8_add(y, cr), chroma(cr, 26345, cr, 0));
			const v128_t g = wasm_i16x8_add(wasm_i16x8_sub(y, cr), chroma(cb, -22554, cr, 18734));
			const v128_t b = wasm_i16x8_add(wasm_i16x8_add(y, wasm_i16x8_shl(cb, 1)), chroma(cb, -14942, cb, 0));
			const v128_t rg = wasm_u8x16_narrow_i16x8(r, g), ba = wasm_u8x16_narrow_i16x8(b, wasm_i16x8_splat(255));
			const v128_t first = wasm_i8x16_shuffle(rg, ba, 0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27);
			const v128_t second = wasm_i8x16_shuffle(rg, ba, 4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31);
			JSAMPLE *at = left >= 8 ? to + 4 * i : pixels;
			wasm_v128_store(at, first);
			wasm_v128_store(at + 16, second);
			if (left < 8)
				memcpy(to + 4 * i, pixels, 4 * left);
		}
	}
}
