package ort

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/onnx"
)

// inFile is a tensor of bytes of which a model says that they are in a file.
func inFile(name string, from, length int) *onnx.TensorProto {
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

// TestAttach: tensors are where the model says; what it says beyond the file's end is an error that names the tensor.
func TestAttach(t *testing.T) {
	for _, test := range []struct {
		from, length int
		want, says   string
	}{
		{0, 3, "abc", ""},
		{3, 4, "defg", ""},
		{4, 4, "", "initializer t: bytes 4 to 8 of 7"},
		{-1, 2, "", "initializer t: bytes -1 to 1 of 7"},
	} {
		tensor := inFile("t", test.from, test.length)
		detach, err := attach(&onnx.ModelProto{Graph: &onnx.GraphProto{Initializer: []*onnx.TensorProto{tensor}}}, fileOf(t, "abcdefg"))
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%d bytes from %d on: error %v, want %q", test.length, test.from, err, test.says)
		}
		if err != nil {
			continue
		}
		if tensor.DataLocation != onnx.TensorProto_DEFAULT || tensor.ExternalData != nil {
			t.Errorf("%d bytes from %d on are still elsewhere", test.length, test.from)
		}
		if err := detach(); err != nil {
			t.Error(err)
		}
		if string(tensor.RawData) != test.want {
			t.Errorf("%d bytes from %d on are %q, want %q", test.length, test.from, tensor.RawData, test.want)
		}
	}
}

// TestAttachNothing: a model may have no tensors in the file.
func TestAttachNothing(t *testing.T) {
	detach, err := attach(&onnx.ModelProto{Graph: &onnx.GraphProto{}}, fileOf(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := detach(); err != nil {
		t.Error(err)
	}
}
