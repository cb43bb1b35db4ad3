package ort

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
)

// standardDirs are searched by the dynamic loader last (ld.so(8); Debian has a folder
// for each architecture besides).
var standardDirs = []string{
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
	"/lib64", "/usr/lib64", "/lib", "/usr/lib",
}

// find returns the file that the dynamic loader would take for a library, "" if it
// would find none: in LD_LIBRARY_PATH, in the loader's cache, in standard folders.
func (m machine) find(name string) string {
	var paths []string
	for _, dir := range strings.FieldsFunc(m.libraryPath, func(r rune) bool { return r == ':' || r == ';' }) {
		paths = append(paths, filepath.Join(dir, name))
	}
	if cache, err := os.ReadFile(m.root + "/etc/ld.so.cache"); err == nil {
		if path := cached(cache, name); path != "" {
			paths = append(paths, path)
		}
	}
	for _, dir := range standardDirs {
		paths = append(paths, filepath.Join(dir, name))
	}
	for _, path := range paths {
		if m.has(path) {
			return m.root + path
		}
	}
	return ""
}

// cacheMagic begins the cache of glibc since 2.2, if need be behind one in the older
// format.
const cacheMagic = "glibc-ld.so.cache1.1"

// cached looks a library up in the loader's cache: after the magic the number of
// entries and, at 48, the entries of 24 bytes, whose second and third words are where
// the name and the path begin, counted from the magic (glibc, sysdeps/generic/dl-cache.h).
func cached(cache []byte, name string) string {
	const header, entry = 48, 24
	start := bytes.Index(cache, []byte(cacheMagic))
	if start < 0 || len(cache)-start < header {
		return ""
	}
	cache = cache[start:]
	text := func(at uint32) string {
		if int64(at) >= int64(len(cache)) {
			return ""
		}
		s, _, _ := bytes.Cut(cache[at:], []byte{0})
		return string(s)
	}
	entries := cache[header:]
	for range binary.NativeEndian.Uint32(cache[len(cacheMagic):]) {
		if len(entries) < entry {
			return ""
		}
		if text(binary.NativeEndian.Uint32(entries[4:])) == name {
			return text(binary.NativeEndian.Uint32(entries[8:]))
		}
		entries = entries[entry:]
	}
	return ""
}
