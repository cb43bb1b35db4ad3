package tiff

import (
	"encoding/binary"
	"math"
	"slices"
)

// Values of PhotometricInterpretation.
const (
	whiteIsZero = 0
	blackIsZero = 1
	rgb         = 2
	palette     = 3
	cmyk        = 5
	ycbcr       = 6
)

// Values of SampleFormat.
const (
	unsigned = 1
	signed   = 2
	float    = 3
)

const associatedAlpha = 1 // among ExtraSamples: colour is multiplied with alpha

// maxSamples is the most samples that a pixel may have, which bounds what a row takes.
const maxSamples = 8

// page is what the directory says of an image, checked: whoever has a page knows how to
// read its rows.
type page struct {
	order             binary.ByteOrder
	width, height     int
	photometric       uint64
	bits              int // of a sample, of which all have the same
	format            uint64
	samples           int // of a pixel
	colours           int // the first of these samples, without alpha and others
	associated        bool
	planar            bool // each sample has a plane of its own
	compression       uint64
	predictor         uint64
	reversed          bool // the first bit of a byte is its lowest
	orientation       uint64
	t4Options         uint64
	colorMap          []uint8 // of a palette: all red, all green, all blue
	jpegTables        []byte
	subAcross, subRow int // luma samples for each chroma sample
}

// coloursOf is the number of samples that make the colour, by photometric.
var coloursOf = map[uint64]int{whiteIsZero: 1, blackIsZero: 1, rgb: 3, palette: 1, cmyk: 4, ycbcr: 3}

// photometricNames are those that are not handled.
var photometricNames = map[uint64]string{4: "transparency mask", 8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32803: "raw camera data", 32844: "LogL", 32845: "LogLuv", 34892: "linear raw camera data"}

func describe(d *directory) (*page, error) {
	p := &page{
		order:       d.order,
		photometric: d.value(tagPhotometric, whiteIsZero),
		format:      d.value(tagSampleFormat, unsigned),
		compression: d.value(tagCompression, uncompressed),
		predictor:   d.value(tagPredictor, 1),
		planar:      d.value(tagPlanar, 1) == 2,
		reversed:    d.value(tagFillOrder, 1) == 2,
		orientation: d.value(tagOrientation, 1),
		t4Options:   d.value(tagT4Options, 0),
		jpegTables:  d.entries[tagJPEGTables].data,
	}
	for _, step := range []func(*directory) error{p.readSize, p.readSamples, p.checkSamples, p.readColorMap, p.readSubsampling, p.checkCompression} {
		if err := step(d); err != nil {
			return nil, err
		}
	}
	p.planar = p.planar && p.samples > 1
	return p, nil
}

func (p *page) readSize(d *directory) error {
	width, height := d.value(tagImageWidth, 0), d.value(tagImageLength, 0)
	const most = 1<<31 - 1
	if width < 1 || height < 1 || width > most || height > most {
		return damaged("%dx%d pixels", width, height)
	}
	p.width, p.height = int(width), int(height)
	return nil
}

// readSamples finds out what a pixel consists of. Bits that are given once hold for all
// samples, as many scanners have it.
func (p *page) readSamples(d *directory) error {
	colours, ok := coloursOf[p.photometric]
	if !ok {
		if name, known := photometricNames[p.photometric]; known {
			return unsupported("of %s pixels is not handled", name)
		}
		return unsupported("of photometric interpretation %d is not handled", p.photometric)
	}
	bits := d.values(tagBitsPerSample)
	if len(bits) == 0 {
		bits = []uint64{1}
	}
	samples := d.value(tagSamplesPerPixel, uint64(len(bits)))
	if samples < uint64(colours) {
		return damaged("%d samples in a pixel, which needs %d", samples, colours)
	}
	if samples > maxSamples {
		return unsupported("of %d samples in a pixel is not handled, at most %d", samples, maxSamples)
	}
	if n := uint64(len(bits)); n > 1 && n < samples {
		return damaged("bits are given for %d of %d samples", n, samples)
	}
	if slices.ContainsFunc(bits[:min(uint64(len(bits)), samples)], func(b uint64) bool { return b != bits[0] }) {
		return unsupported("whose samples have different numbers of bits, %v, is not handled", bits)
	}
	if formats := d.values(tagSampleFormat); slices.ContainsFunc(formats, func(f uint64) bool { return f != p.format }) {
		return unsupported("whose samples have different formats is not handled")
	}
	p.samples, p.colours, p.bits = int(samples), colours, int(min(bits[0], 1<<16))
	p.associated = p.samples > p.colours && d.value(tagExtraSamples, 0) == associatedAlpha
	return nil
}

// checkSamples holds the depths that are handled. Gray may have more than one byte, and be
// signed or float, since PIL clips that to 0…255; of a colour's 16 bits it keeps the upper 8.
func (p *page) checkSamples(d *directory) error {
	gray := p.colours == 1 && p.photometric != palette
	sound := false
	switch p.format {
	case unsigned, 4: // 4 is "undefined"
		switch p.bits {
		case 8:
			sound = true
		case 16:
			sound = p.photometric != palette && p.photometric != ycbcr
		case 1, 2, 4:
			sound = p.colours == 1
		case 12, 32:
			sound = gray
		}
	case signed:
		sound = gray && (p.bits == 16 || p.bits == 32)
	case float:
		sound = gray && p.bits == 32
	}
	if !sound {
		kind := map[uint64]string{unsigned: "unsigned", signed: "signed", float: "float"}[p.format]
		return unsupported("of %d-bit %s samples (photometric interpretation %d) is not handled", p.bits, kind, p.photometric)
	}
	if deep := p.bits > 8 && p.format != float; p.photometric == whiteIsZero && deep && (p.bits != 16 || p.format == signed || p.order == binary.BigEndian) {
		return unsupported("of %d-bit samples whose white is 0 is not handled", p.bits) // PIL either
	}
	if gray && p.samples > 2 {
		return unsupported("of gray pixels with %d samples is not handled: they may be bands of no known colour", p.samples)
	}
	if p.associated && p.photometric != rgb {
		return unsupported("of alpha that other colours than RGB are multiplied with is not handled")
	}
	if ink := d.value(tagInkSet, 1); p.photometric == cmyk && ink != 1 {
		return unsupported("of other inks than cyan, magenta, yellow and black is not handled")
	}
	return nil
}

// readColorMap keeps the upper byte of each of the palette's colours.
func (p *page) readColorMap(d *directory) error {
	if p.photometric != palette {
		return nil
	}
	n := d.len(tagColorMap)
	if n < 3 || n%3 != 0 || n > 3<<16 {
		return damaged("a palette of %d values: it must have three for each colour", n)
	}
	p.colorMap = make([]uint8, n)
	for i := range p.colorMap {
		p.colorMap[i] = uint8(d.at(tagColorMap, i) >> 8)
	}
	return nil
}

func (p *page) readSubsampling(d *directory) error {
	p.subAcross, p.subRow = 1, 1
	if p.photometric != ycbcr || p.compression == jpeg {
		return nil
	}
	p.subAcross, p.subRow = 2, 2
	if d.len(tagYCbCrSubsampling) > 1 {
		across, down := d.at(tagYCbCrSubsampling, 0), d.at(tagYCbCrSubsampling, 1)
		if !slices.Contains([]uint64{1, 2, 4}, across) || !slices.Contains([]uint64{1, 2, 4}, down) {
			return damaged("chroma subsampled by %dx%d: each must be 1, 2 or 4", across, down)
		}
		p.subAcross, p.subRow = int(across), int(down)
	}
	if p.samples != 3 || p.planar {
		return unsupported("of YCbCr in planes or with further samples is not handled")
	}
	if !near(d.ratios(tagYCbCrWeights), 0.299, 0.587, 0.114) || !near(d.ratios(tagReference), 0, 255, 128, 255, 128, 255) {
		return unsupported("of YCbCr other than by BT.601 at full range is not handled")
	}
	return nil
}

// near tells whether values are there at all only as what holds without them.
func near(values []float64, usual ...float64) bool {
	return len(values) == 0 || slices.EqualFunc(values, usual, func(a, b float64) bool { return math.Abs(a-b) < 0.001 })
}

// rowBytes is the size of an unpacked row of so many pixels; of a row of blocks where
// chroma is subsampled.
func (p *page) rowBytes(width int) int {
	if p.photometric == ycbcr && p.compression != jpeg {
		blocks := (width + p.subAcross - 1) / p.subAcross
		return blocks * (p.subAcross*p.subRow + 2)
	}
	samples := p.samples
	if p.planar {
		samples = 1
	}
	return (width*samples*p.bits + 7) / 8
}
