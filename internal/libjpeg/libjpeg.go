// Package libjpeg decodes JPEGs with libjpeg-turbo, so that pixels are to the bit
// those of PIL, damaged files included. The library runs as WebAssembly: whatever a
// file makes it do, it reaches no memory but its own, which is thrown away with the
// image. scripts/libjpeg makes it from the published source.
package libjpeg

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

//go:embed libjpeg.wasm
var binary []byte

// Error is what the library says of a file.
type Error struct {
	Damaged bool // else the file is of a kind that the library does not decode
	Text    string
}

func (e *Error) Error() string { return e.Text }

// Decode decodes a file. The result is an *image.Gray, an opaque *image.NRGBA, or an
// *image.CMYK as the file has it, which by custom is inverted. It is truncated if the
// file ends before the image: the rest is gray, or as an earlier scan left it.
//
// The size must be that of the file's header. An error of the file is an *Error, or
// io.ErrUnexpectedEOF if it ends before its pixels; if ctx ends, so does the decoding,
// with the cause.
func Decode(ctx context.Context, file []byte, size image.Point) (img image.Image, truncated bool, err error) {
	lib, err := library()
	if err != nil {
		return nil, false, err
	}
	r := &run{ctx: ctx, file: file}
	r.module, err = lib.runtime.InstantiateModule(ctx, lib.code, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		return nil, false, fmt.Errorf("libjpeg: %w", err)
	}
	defer r.module.Close(ctx)
	r.inside = context.WithValue(ctx, runKey{}, r)
	return r.decode(size)
}

// run is the decoding of one image.
type run struct {
	ctx    context.Context
	inside context.Context // carries the run itself to the library's imports
	module api.Module
	file   []byte // what is yet to be read
	err    error  // why an import did not return
}

type runKey struct{}

func (r *run) decode(size image.Point) (img image.Image, truncated bool, err error) {
	components := r.call("open")
	if r.err == nil && (r.call("width") != size.X || r.call("height") != size.Y) {
		r.err = &Error{Damaged: true, Text: "it has two sizes"}
	}
	if r.err != nil {
		return nil, false, r.err
	}
	bounds := image.Rectangle{Max: size}
	switch components {
	case 1:
		gray := image.NewGray(bounds)
		img, err = gray, r.pixels(gray.Pix, gray.Stride)
	case 3:
		rgb := image.NewNRGBA(bounds)
		img, err = rgb, r.pixels(rgb.Pix, rgb.Stride)
	case 4:
		cmyk := image.NewCMYK(bounds)
		img, err = cmyk, r.pixels(cmyk.Pix, cmyk.Stride)
	default:
		err = &Error{Text: fmt.Sprintf("it has %d components; 1, 3 and 4 are handled", components)}
	}
	if err != nil {
		return nil, false, err
	}
	return img, r.call("truncated") != 0, r.err
}

// pixels decodes all rows.
func (r *run) pixels(pix []uint8, stride int) error {
	at := uint32(r.call("start"))
	for len(pix) > 0 && r.err == nil {
		n := r.call("next") * stride
		rows, ok := r.module.Memory().Read(at, uint32(n))
		if r.err == nil && (n == 0 || !ok) {
			r.err = &Error{Damaged: true, Text: "it has too few rows"}
		}
		pix = pix[copy(pix, rows):]
	}
	return r.err
}

// call calls one of the library's functions. After an error it does nothing.
func (r *run) call(name string) int {
	if r.err != nil {
		return 0
	}
	results, err := r.module.ExportedFunction(name).Call(r.inside)
	if r.err == nil && err != nil { // no import's doing
		text, _, _ := strings.Cut(err.Error(), "\n")
		r.err = &Error{Damaged: true, Text: text}
	}
	if r.err != nil {
		return 0
	}
	return int(api.DecodeI32(results[0]))
}

// end makes the library's function that called an import fail.
func (r *run) end(err error) {
	r.err = err
	panic(err)
}

// engine is the library, compiled.
type engine struct {
	runtime wazero.Runtime
	code    wazero.CompiledModule
}

// library compiles the library when it is first needed, which takes a tenth of a
// second.
var library = sync.OnceValues(func() (engine, error) {
	ctx := context.Background()
	runtime := wazero.NewRuntime(ctx)
	if err := imports(ctx, runtime); err != nil {
		return engine{}, fmt.Errorf("libjpeg: %w", err)
	}
	code, err := runtime.CompileModule(ctx, binary)
	if err != nil {
		return engine{}, fmt.Errorf("libjpeg: %w", err)
	}
	return engine{runtime, code}, nil
})

// imports defines what the library calls.
func imports(ctx context.Context, runtime wazero.Runtime) error {
	host := runtime.NewHostModuleBuilder("host")
	export := func(name string, f func(r *run, memory api.Memory, stack []uint64), results int, params int) {
		i32 := []api.ValueType{api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32}
		host.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
			f(ctx.Value(runKey{}).(*run), m.Memory(), stack)
		}), i32[:params], i32[:results]).Export(name)
	}
	export("read", read, 1, 2)
	export("progress", progress, 0, 0)
	export("fail", fail, 0, 3)
	_, err := host.Instantiate(ctx)
	return err
}

// read copies the next bytes of the file.
func read(r *run, memory api.Memory, stack []uint64) {
	progress(r, memory, nil)
	buffer, ok := memory.Read(uint32(stack[0]), uint32(stack[1]))
	if !ok {
		r.end(errors.New("libjpeg: read out of bounds"))
	}
	n := copy(buffer, r.file)
	r.file = r.file[n:]
	stack[0] = uint64(n)
}

// progress is called for each row of blocks.
func progress(r *run, _ api.Memory, _ []uint64) {
	if r.ctx.Err() != nil {
		r.end(context.Cause(r.ctx))
	}
}

// fail ends with one of the library's messages, a format in C's notation and its
// values.
func fail(r *run, memory api.Memory, stack []uint64) {
	format, _ := memory.Read(uint32(stack[1]), 200)
	format, _, _ = bytes.Cut(format, []byte{0})
	text := strings.NewReplacer("%u", "%d", "%ld", "%d").Replace(string(format))
	values := make([]any, strings.Count(text, "%"))
	for i := range values {
		value, _ := memory.ReadUint32Le(uint32(stack[2]) + uint32(4*i))
		values[i] = int32(value & math.MaxUint32)
	}
	const unsupported, truncated = 0, 2
	kind := uint32(stack[0]) // the upper half may hold anything
	if kind == truncated {
		r.end(io.ErrUnexpectedEOF)
	}
	r.end(&Error{Damaged: kind != unsupported, Text: fmt.Sprintf(text, values...)})
}
