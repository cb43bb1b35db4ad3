package checkpoint

import (
	"archive/zip"
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// archive is a zip archive of empty files.
func archive(t *testing.T, names ...string) []byte {
	t.Helper()
	var content bytes.Buffer
	w := zip.NewWriter(&content)
	for _, name := range names {
		if _, err := w.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return content.Bytes()
}

// TestStrangers: a file that holds no weights is named, with what is to be done.
func TestStrangers(t *testing.T) {
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"pointer of Git LFS": {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0d71\nsize 46830571\n"), "run git lfs pull"},
		"web page":           {[]byte("\n <!DOCTYPE html>\n<html></html>"), "a web page, not the file: download it in a browser, or with the direct link"},
		"XML":                {[]byte("\xef\xbb\xbf<?xml version='1.0'?><Error/>"), "a web page"},
		"answer in JSON":     {[]byte(`{"error":"rate limit"}`), "a JSON text"},
		"JSON, ninth a {":    {[]byte(`{"meta":{"a":1}}`), "a JSON text"},
		"index":              {[]byte(`{"metadata":{},"weight_map":{"b":"x-2-of-2.bin","a":"x-1-of-2.bin","c":"x-1-of-2.bin"}}`), "weights in several files, shards (x-1-of-2.bin, x-2-of-2.bin)"},
		"gzip":               {[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), "compressed with gzip: unpack it first"},
		"bzip2":              {[]byte("BZh91AY&SY"), "compressed with bzip2"},
		"xz":                 {[]byte("\xfd7zXZ\x00\x00"), "compressed with xz"},
		"zstd":               {[]byte("\x28\xb5\x2f\xfd\x00"), "compressed with zstd"},
		"tar":                {append(make([]byte, 257), "ustar\x0000"...), "a tar archive: unpack it first"},
		"HDF5":               {append([]byte("\x89HDF\r\n\x1a\n"), make([]byte, 600)...), "an HDF5 file, of Keras or TensorFlow"},
		"ONNX":               {[]byte("\x08\x07\x12\x07pytorch\x1a\x031.1"), "an ONNX file, already exported"},
		"NumPy":              {[]byte("\x93NUMPY\x01\x00"), "an array of NumPy"},
		"arrays of NumPy":    {archive(t, "fc.weight.npy"), "arrays of NumPy"},
		"zip with a .pth":    {archive(t, "x/readme.txt", "x/best.pth"), "a zip archive that holds x/best.pth: unpack it first"},
		"Keras":              {archive(t, "config.json", "model.weights.h5"), "a network of Keras"},
		"exported program":   {archive(t, "version", "serialized_exported_program.json"), "an exported program of torch.export"},
		"any other archive":  {archive(t, "a.txt"), "no data.pkl in it"},
		"empty archive":      {archive(t), "an empty zip archive"},
		"image":              {[]byte("\x89PNG\r\n\x1a\n"), "an image, not weights"},
		"other pickle":       {[]byte("\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."), "a pickle that torch.save did not write: no state dict in it, which is a dict of tensors: its keys are a (a number (1))"},
		"text":               {[]byte("these are no weights"), "neither a safetensors file nor one that torch.save wrote"},
	} {
		_, err := parse(test.content)
		t.Run(name, func(t *testing.T) { wantError(t, err, test.want) })
	}
	dir := t.TempDir()
	_, err := Open(dir)
	wantError(t, err, dir, "a folder: name the file in it")
	_, err = Open("https://download.pytorch.org/models/resnet18-f37072fd.pth")
	wantError(t, err, "download it first")
	_, err = Open(filepath.Join(dir, "missing.pth"))
	wantError(t, err, "missing.pth: no such file")
}

// TestOnlyOneStateDict: Load leaves no choice.
func TestOnlyOneStateDict(t *testing.T) {
	_, err := Load("testdata/torch/two.pth")
	wantError(t, err, `two.pth: several state dicts, want one: "student", "teacher"`)
}

// TestLengthsOfHeaders: a safetensors file begins with the length of its header, which
// may look like the start of a pickle.
func TestLengthsOfHeaders(t *testing.T) {
	for _, length := range []int{0x80, 0x180, 0x280, 0x480, 0x580} {
		text := `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
		content := header(text+strings.Repeat(" ", length-len(text)), 4)
		if f, err := parse(content); err != nil || len(f.States[0].Shapes) != 1 {
			t.Errorf("a header of %d bytes: %v", length, err)
		}
	}
}
