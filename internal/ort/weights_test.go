package ort

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/ascood/ascood/onnx"
)

// elsewhere is a tensor of bytes of which a model says that they are in a file.
func elsewhere(name string, from, length int) *onnx.TensorProto {
	t := onnx.NewTensor(name, onnx.TensorProto_UINT8, nil, int64(length))
	t.DataLocation = onnx.TensorProto_EXTERNAL
	t.ExternalData = []*onnx.StringStringEntryProto{{Key: "offset", Value: strconv.Itoa(from)}, {Key: "length", Value: strconv.Itoa(length)}}
	return t
}

// fileOf is a file in memory.
func fileOf(t *testing.T, content string) *os.File {
	t.Helper()
	file, err := memoryFile()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if _, err := file.WriteString(content); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestReadWeights: tensors are where the model says; what it says beyond the file's end is an error that names the tensor.
func TestReadWeights(t *testing.T) {
	for _, test := range []struct {
		from, length int
		want, says   string
	}{
		{0, 3, "abc", ""},
		{3, 4, "defg", ""},
		{4, 4, "", "initializer t: bytes 4 to 8 of 7"},
		{-1, 2, "", "initializer t: bytes -1 to 1 of 7"},
	} {
		w := &weights{}
		tensor := elsewhere("t", test.from, test.length)
		err := w.read(&onnx.ModelProto{Graph: &onnx.GraphProto{Initializer: []*onnx.TensorProto{tensor}}}, fileOf(t, "abcdefg"))
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%d bytes from %d on: error %v, want %q", test.length, test.from, err, test.says)
		}
		if string(tensor.RawData) != test.want || err == nil && (tensor.DataLocation != onnx.TensorProto_DEFAULT || tensor.ExternalData != nil) {
			t.Errorf("%d bytes from %d on are %q, want %q", test.length, test.from, tensor.RawData, test.want)
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}
}

// TestForget: pages that only forgotten weights have are zeros afterwards, others keep what they hold.
func TestForget(t *testing.T) {
	page := os.Getpagesize()
	w := &weights{}
	defer w.close()
	gone, kept := elsewhere("gone", page/4, 3*page), elsewhere("kept", 3*page+page/4, page)
	g := &onnx.GraphProto{Initializer: []*onnx.TensorProto{gone, kept}}
	if err := w.read(&onnx.ModelProto{Graph: g}, fileOf(t, strings.Repeat("x", 5*page))); err != nil {
		t.Fatal(err)
	}
	w.forget(g.Initializer, &onnx.GraphProto{Initializer: []*onnx.TensorProto{kept}})
	want := strings.Repeat("x", page-page/4) + strings.Repeat("\x00", 2*page) + strings.Repeat("x", page/4)
	if string(gone.RawData) != want {
		t.Error("the forgotten weights' whole pages are still there, or others are not")
	}
	if string(kept.RawData) != strings.Repeat("x", page) {
		t.Error("weights that are needed are gone")
	}
}

// TestHolds: weights of Go's memory, or that begin between two lines, are moved.
func TestHolds(t *testing.T) {
	w := &weights{}
	defer w.close()
	room, err := w.room(100)
	if err != nil {
		t.Fatal(err)
	}
	if uintptr(unsafe.Pointer(&room[0]))%line != 0 || len(room) != 100 {
		t.Errorf("%d bytes begin at %p", len(room), &room[0])
	}
	if !w.holds(room) || !w.holds(room[99:]) || w.holds(make([]byte, 100)) {
		t.Error("it does not know what it holds")
	}
}
