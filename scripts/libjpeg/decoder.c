// libjpeg-turbo's decoder for a host that gives it a file piece by piece and takes
// the pixels row by row. An instance is for one image, and there is no way back from
// an error: the host throws the instance away.

#include <stdio.h>
#include <stdlib.h>
#include "jpeglib.h"
#include "jerror.h"

#define IMPORT(name) __attribute__((import_module("host"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("read") size_t host_read(JOCTET *to, size_t size); // 0 at the end of the file
IMPORT("progress") void host_progress(void);              // returns while the host waits
IMPORT("fail") _Noreturn void host_fail(int kind, const char *format, const int *values);

static struct jpeg_decompress_struct decoder;
static struct jpeg_error_mgr errors;
static struct jpeg_source_mgr source;
static struct jpeg_progress_mgr progress;

static JOCTET input[1 << 16];
static int ended;  // the file is at its end and the image is not
static int filled; // and pixels were made up for what is missing

enum { ROWS = 16 };
static JSAMPROW rows[ROWS];

static const char *const messages[] = {
#define JCOPYRIGHT_SHORT ""
#define JVERSION ""
#define JMESSAGE(code, text) text,
#include "jerror.h"
};

// Kinds of errors.
enum { UNSUPPORTED, DAMAGED, TRUNCATED };

static int kind_of(int code)
{
	if (ended)
		return TRUNCATED;
	switch (code) {
	case JERR_BAD_PRECISION:
	case JERR_CCIR601_NOTIMPL:
	case JERR_COMPONENT_COUNT:
	case JERR_CONVERSION_NOTIMPL:
	case JERR_EMPTY_IMAGE:
	case JERR_FRACT_SAMPLE_NOTIMPL:
	case JERR_IMAGE_TOO_BIG:
	case JERR_NOTIMPL:
	case JERR_NOT_COMPILED:
	case JERR_OUT_OF_MEMORY:
	case JERR_SOF_UNSUPPORTED:
		return UNSUPPORTED;
	}
	return DAMAGED;
}

static void error_exit(j_common_ptr common)
{
	host_fail(kind_of(errors.msg_code), messages[errors.msg_code], errors.msg_parm.i);
}

static void emit_message(j_common_ptr common, int level)
{
	if (level < 0 && ended && errors.msg_code == JWRN_HIT_MARKER)
		filled = 1;
}

static void reset_error_mgr(j_common_ptr common) {}

static void monitor(j_common_ptr common) { host_progress(); }

static void nothing(j_decompress_ptr d) {}

// fill_input_buffer puts an end of image behind a file that lacks it, as PIL does
// where it is told to load truncated images.
static boolean fill_input_buffer(j_decompress_ptr d)
{
	size_t n = ended ? 0 : host_read(input, sizeof input);
	if (n == 0) {
		ended = 1;
		input[0] = 0xff;
		input[1] = JPEG_EOI;
		n = 2;
	}
	source.next_input_byte = input;
	source.bytes_in_buffer = n;
	return TRUE;
}

static void skip_input_data(j_decompress_ptr d, long n)
{
	while (n > (long)source.bytes_in_buffer && !ended) {
		n -= source.bytes_in_buffer;
		fill_input_buffer(d);
	}
	if (ended)
		return;
	source.next_input_byte += n;
	source.bytes_in_buffer -= n;
}

// open reads the header and returns the number of components. Pixels are to be gray,
// RGBA or CMYK.
EXPORT("open") int open_image(void)
{
	errors.error_exit = error_exit;
	errors.emit_message = emit_message;
	errors.reset_error_mgr = reset_error_mgr;
	decoder.err = &errors;
	jpeg_create_decompress(&decoder);
	source.init_source = source.term_source = nothing;
	source.fill_input_buffer = fill_input_buffer;
	source.skip_input_data = skip_input_data;
	source.resync_to_restart = jpeg_resync_to_restart;
	decoder.src = &source;
	progress.progress_monitor = monitor;
	decoder.progress = &progress;
	jpeg_read_header(&decoder, TRUE);
	if (decoder.num_components == 3)
		decoder.out_color_space = JCS_EXT_RGBA;
	return decoder.num_components;
}

EXPORT("width") int width(void) { return decoder.image_width; }
EXPORT("height") int height(void) { return decoder.image_height; }

// reserve takes the memory for all coefficients at once, and enough for some rows:
// growing little by little would copy them.
static void reserve(void)
{
	size_t size = ((size_t)decoder.image_width << 9) + (1 << 20);
	for (int i = 0; i < decoder.num_components; i++) {
		const jpeg_component_info *c = &decoder.comp_info[i];
		size += (size_t)(c->width_in_blocks + c->h_samp_factor) * (c->height_in_blocks + c->v_samp_factor) * sizeof(JBLOCK);
	}
	void *volatile taken = malloc(size); // the compiler would leave out a pair of calls
	free(taken);
}

// start decodes as much as must be known before the first row: all of a progressive
// file. It returns where rows will be.
EXPORT("start") JSAMPLE *start(void)
{
	if (jpeg_has_multiple_scans(&decoder))
		reserve();
	jpeg_start_decompress(&decoder);
	size_t stride = (size_t)decoder.output_width * decoder.output_components;
	JSAMPLE *pixels = malloc(ROWS * stride);
	if (!pixels)
		ERREXIT1(&decoder, JERR_OUT_OF_MEMORY, 0);
	for (int i = 0; i < ROWS; i++)
		rows[i] = pixels + i * stride;
	return pixels;
}

// next decodes the next rows and returns how many.
EXPORT("next") int next(void)
{
	int n = 0;
	while (n < ROWS && decoder.output_scanline < decoder.output_height)
		n += jpeg_read_scanlines(&decoder, rows + n, ROWS - n);
	return n;
}

// truncated reports whether the file ended before the image did. What a file of
// several scans lacks cannot be told but by its missing end.
EXPORT("truncated") int truncated(void) { return filled || ended && jpeg_has_multiple_scans(&decoder); }
