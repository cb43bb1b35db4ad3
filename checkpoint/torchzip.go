package checkpoint

import (
	"archive/zip"
	"bytes"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/ascood/ascood"
)

var zipMagic = []byte("PK\x03\x04")

// torchZip is the format of torch.save since PyTorch 1.6: a zip archive of
// uncompressed records, NAME/data.pkl and NAME/data/KEY for each storage.
type torchZip struct {
	content []byte
	records map[string]*zip.File // by path below NAME
}

// readTorchZip returns the object in the archive.
func readTorchZip(content []byte) (any, error) {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "damaged or truncated zip archive: %w", err)
	}
	z := &torchZip{content, map[string]*zip.File{}}
	for _, f := range archive.File {
		if _, path, ok := strings.Cut(f.Name, "/"); ok {
			z.records[path] = f
		}
	}
	if _, ok := z.records["constants.pkl"]; ok {
		return nil, ascood.Errorf(ascood.Unsupported, "a TorchScript module; save the model's state_dict() with torch.save")
	}
	if _, ok := z.records["data.pkl"]; !ok {
		return nil, ascood.Errorf(ascood.Invalid, "a zip archive that torch.save did not write: no data.pkl in it")
	}
	if _, ok := z.records["byteorder"]; ok { // since PyTorch 2.1
		order, err := z.record("byteorder")
		if err != nil {
			return nil, err
		}
		if string(order) != "little" {
			return nil, ascood.Errorf(ascood.Unsupported, "its byte order is %q, want little", order)
		}
	}
	main, err := z.record("data.pkl")
	if err != nil {
		return nil, err
	}
	r := &torchReader{storages: map[string]*storage{}, open: z.open}
	object, _, err := unpickle(main, r.persistent)
	return object, err
}

// open reads the data of a storage.
func (z *torchZip) open(key string, s *storage) (err error) {
	s.data, err = z.record("data/" + key)
	if err == nil && len(s.data) != s.elements*s.dtype.Size() {
		err = fmt.Errorf("record data/%s has %d bytes, want %d elements of %s", key, len(s.data), s.elements, s.dtype)
	}
	return err
}

// record returns the bytes of a record, in place.
func (z *torchZip) record(path string) ([]byte, error) {
	f, ok := z.records[path]
	if !ok {
		return nil, ascood.Errorf(ascood.Invalid, "no record %s in the archive", path)
	}
	start, err := f.DataOffset()
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "record %s: %w", path, err)
	}
	length := uint64(len(z.content))
	if f.Method != zip.Store || uint64(start) > length || f.UncompressedSize64 > length-uint64(start) {
		return nil, ascood.Errorf(ascood.Invalid, "record %s is compressed or lies outside the file", path)
	}
	data := z.content[start:][:f.UncompressedSize64:f.UncompressedSize64]
	// PyTorch can be told not to compute checksums and then writes 0.
	if f.CRC32 != 0 && f.CRC32 != crc32.ChecksumIEEE(data) {
		return nil, ascood.Errorf(ascood.Invalid, "record %s is damaged: its checksum does not match", path)
	}
	return data, nil
}
