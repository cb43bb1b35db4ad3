package tiff

import "slices"

// Values of Predictor.
const (
	noPredictor    = 1
	differences    = 2 // each sample is stored as what it exceeds that of the pixel before by
	floatingPoints = 3 // the same of bytes, which are sorted by their significance first
)

// checkPredictor also drops the tag where it means nothing: only LZW and Deflate have
// predictors.
func (p *page) checkPredictor() error {
	if !slices.Contains([]uint64{lzwCodes, deflate, deflateOld}, p.compression) {
		p.predictor = noPredictor
	}
	switch {
	case p.predictor == noPredictor:
	case p.predictor == differences && slices.Contains([]int{8, 16, 32}, p.bits):
	case p.predictor == floatingPoints && p.format == float:
	default:
		return unsupported("with predictor %d for samples of %d bits is not handled", p.predictor, p.bits)
	}
	return nil
}

// predict undoes the predictor of a row.
func (p *page) predict(row []byte) {
	step := p.samples
	if p.planar {
		step = 1
	}
	switch {
	case p.predictor == floatingPoints:
		p.joinFloats(row, step)
	case p.predictor == noPredictor:
	case p.bits == 8:
		addBytes(row, step)
	case p.bits == 16:
		for i := step * 2; i+2 <= len(row); i += 2 {
			p.order.PutUint16(row[i:], p.order.Uint16(row[i:])+p.order.Uint16(row[i-step*2:]))
		}
	default:
		for i := step * 4; i+4 <= len(row); i += 4 {
			p.order.PutUint32(row[i:], p.order.Uint32(row[i:])+p.order.Uint32(row[i-step*4:]))
		}
	}
}

func addBytes(row []byte, step int) {
	for i := step; i < len(row); i++ {
		row[i] += row[i-step]
	}
}

// joinFloats brings the bytes of 32-bit samples together, which are stored as all highest
// bytes first and all lowest last, whatever the file's order of bytes.
func (p *page) joinFloats(row []byte, step int) {
	addBytes(row, step)
	sorted := slices.Clone(row)
	n := len(row) / 4
	for i := range n {
		bits := uint32(sorted[i])<<24 | uint32(sorted[n+i])<<16 | uint32(sorted[2*n+i])<<8 | uint32(sorted[3*n+i])
		p.order.PutUint32(row[4*i:], bits)
	}
}
