package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ascood/ascood"
)

// strangers are kinds of files that are no weights, by how they begin, with what is
// to be done.
var strangers = []struct {
	begins string
	at     int
	advice string
}{
	{"version https://git-lfs.github.com/", 0, "a pointer of Git LFS, not the file: run git lfs pull"},
	{"\x89HDF\r\n\x1a\n", 0, "an HDF5 file, of Keras or TensorFlow: want weights of PyTorch"},
	{"\x1f\x8b", 0, "compressed with gzip: unpack it first"},
	{"BZh", 0, "compressed with bzip2: unpack it first"},
	{"\xfd7zXZ\x00", 0, "compressed with xz: unpack it first"},
	{"\x28\xb5\x2f\xfd", 0, "compressed with zstd: unpack it first"},
	{"7z\xbc\xaf\x27\x1c", 0, "a 7z archive: unpack it first"},
	{"Rar!", 0, "a RAR archive: unpack it first"},
	{"ustar", 257, "a tar archive: unpack it first"},
	{"\x93NUMPY", 0, "an array of NumPy: want a state dict, saved with torch.save"},
	{"GGUF", 0, "a GGUF file: want weights of PyTorch"},
	{"TFL3", 4, "a TensorFlow Lite file: want weights of PyTorch"},
	{"\x89PNG", 0, "an image, not weights"},
	{"\xff\xd8\xff", 0, "an image, not weights"},
	{"%PDF", 0, "a PDF document, not weights"},
	{"PK\x05\x06", 0, "an empty zip archive"},
}

// stranger is the error of a file that is none of weights; it says what it is.
func stranger(content []byte) error {
	for _, s := range strangers {
		if len(content) >= s.at && bytes.HasPrefix(content[s.at:], []byte(s.begins)) {
			return ascood.Errorf(ascood.Invalid, "%s", s.advice)
		}
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("<")):
		return ascood.Errorf(ascood.Invalid, "a web page, not the file: download it in a browser, or with the direct link")
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return strangeJSON(text)
	case isONNX(content):
		return ascood.Errorf(ascood.Invalid, "an ONNX file, already exported: want the checkpoint that it was made from, or the file as ascood-export --onnx")
	}
	return ascood.Errorf(ascood.Invalid, "neither a safetensors file nor one that torch.save wrote")
}

// isONNX recognises a ModelProto by its first fields: the version of the format, below
// 32, and the producer or the graph.
func isONNX(content []byte) bool {
	return len(content) > 2 && content[0] == 0x08 && content[1] < 32 && bytes.IndexByte([]byte{0x12, 0x1a, 0x22, 0x32, 0x3a, 0x42}, content[2]) >= 0
}

// strangeJSON tells the index of a network in several files from other texts.
func strangeJSON(text []byte) error {
	var index struct {
		Files map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil || len(index.Files) == 0 {
		return ascood.Errorf(ascood.Invalid, "a JSON text, such as a web service's answer or a configuration: want the file of the weights")
	}
	shards := slices.Compact(slices.Sorted(maps.Values(index.Files)))
	return ascood.Errorf(ascood.Unsupported, "the index of weights in several files, shards (%s): want them as one file, as save_pretrained(…, max_shard_size=\"100GB\") writes it",
		strings.Join(shards[:min(len(shards), 3)], ", "))
}

// strangeArchive is the error of an archive that torch.save did not write.
func strangeArchive(archive *zip.Reader) error {
	for _, f := range archive.File {
		switch path.Ext(f.Name) {
		case ".pth", ".pt", ".ckpt", ".safetensors", ".bin", ".tar", ".pkl":
			return ascood.Errorf(ascood.Invalid, "a zip archive that holds %s: unpack it first", f.Name)
		case ".npy":
			return ascood.Errorf(ascood.Invalid, "arrays of NumPy: want a state dict, saved with torch.save")
		case ".h5", ".keras":
			return ascood.Errorf(ascood.Invalid, "a network of Keras: want weights of PyTorch")
		case ".json":
			if strings.HasPrefix(path.Base(f.Name), "serialized_exported_program") {
				return ascood.Errorf(ascood.Unsupported, "an exported program of torch.export: save the model's state_dict() with torch.save")
			}
		}
	}
	return ascood.Errorf(ascood.Invalid, "a zip archive that torch.save did not write: no data.pkl in it")
}
