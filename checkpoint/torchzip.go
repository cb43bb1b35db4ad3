package checkpoint

import (
	"archive/zip"
	"bytes"
	"hash/crc32"
	"io"
	"path"
	"strings"

	"github.com/ascood/ascood"
)

var zipMagic = []byte("PK\x03\x04")

// torchZip is the format of torch.save since PyTorch 1.6, and of TorchScript: a zip
// archive of uncompressed records, NAME/data.pkl and NAME/data/KEY for each storage.
// Other programs may have packed it again, with compression.
type torchZip struct {
	content []byte
	records map[string]*zip.File // by path below NAME
	left    int                  // bytes that compressed records may still become
}

// mostInflated bounds what the compressed records of a file may become together.
func mostInflated(fileLen int) int { return 16*fileLen + 256<<20 }

// readTorchZip reads a file that is an archive.
func readTorchZip(content []byte) (*File, error) {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "damaged or truncated zip archive: %w", err)
	}
	main := mainRecord(archive)
	if main == "" {
		return nil, strangeArchive(archive)
	}
	z := &torchZip{content, map[string]*zip.File{}, mostInflated(len(content))}
	folder := strings.TrimSuffix(main, "data.pkl")
	for _, f := range archive.File {
		if below, ok := strings.CutPrefix(f.Name, folder); ok {
			z.records[below] = f
		}
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
	data, err := z.record("data.pkl")
	if err != nil {
		return nil, err
	}
	object, _, err := newTorchReader(z.open).read(data)
	if err != nil {
		return nil, err
	}
	return newFile(object, len(content))
}

// mainRecord returns the path of the outermost data.pkl, "" if there is none.
func mainRecord(archive *zip.Reader) string {
	var found string
	for _, f := range archive.File {
		if path.Base(f.Name) == "data.pkl" && (found == "" || len(f.Name) < len(found)) {
			found = f.Name
		}
	}
	return found
}

// open has the data of a storage read when they are needed.
func (z *torchZip) open(key string, s *storage) {
	s.read = func() ([]byte, error) {
		data, err := z.record("data/" + key)
		if err == nil && len(data) != s.elements*s.size {
			err = ascood.Errorf(ascood.Invalid, "record data/%s has %d bytes, want %d elements of %d", key, len(data), s.elements, s.size)
		}
		return data, err
	}
}

// record returns the bytes of a record, in place if it is not compressed.
func (z *torchZip) record(path string) ([]byte, error) {
	f, ok := z.records[path]
	if !ok {
		return nil, ascood.Errorf(ascood.Invalid, "no record %s in the archive", path)
	}
	if f.Method != zip.Store {
		return z.inflate(path, f)
	}
	start, err := f.DataOffset()
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "record %s: %w", path, err)
	}
	length := uint64(len(z.content))
	if uint64(start) > length || f.UncompressedSize64 > length-uint64(start) {
		return nil, ascood.Errorf(ascood.Invalid, "record %s lies outside the file", path)
	}
	data := z.content[start:][:f.UncompressedSize64:f.UncompressedSize64]
	// PyTorch can be told not to compute checksums and then writes 0.
	if f.CRC32 != 0 && f.CRC32 != crc32.ChecksumIEEE(data) {
		return nil, ascood.Errorf(ascood.Invalid, "record %s is damaged: its checksum does not match", path)
	}
	return data, nil
}

// inflate decompresses a record, whose size is only believed as it comes true.
func (z *torchZip) inflate(path string, f *zip.File) ([]byte, error) {
	if f.UncompressedSize64 > uint64(z.left) {
		return nil, ascood.Errorf(ascood.TooLarge, "its compressed records take over %d MiB, from a file of %d bytes", mostInflated(len(z.content))>>20, len(z.content))
	}
	z.left -= int(f.UncompressedSize64)
	r, err := f.Open()
	if err != nil {
		return nil, ascood.Errorf(ascood.Unsupported, "record %s: %w", path, err)
	}
	defer r.Close()
	var data bytes.Buffer
	if _, err := io.Copy(&data, r); err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "record %s is damaged: %w", path, err)
	}
	return data.Bytes(), nil
}
