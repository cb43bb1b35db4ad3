package preprocess

import "encoding/binary"

// exifOrientation returns the orientation tag of the first directory of EXIF data,
// which is laid out as a TIFF file; 0 if it is not there.
func exifOrientation(data []byte) int {
	const headerLen, entryLen, orientation, short = 8, 12, 0x112, 3
	var order binary.ByteOrder
	switch {
	case beginsWith(data, "II*\x00"):
		order = binary.LittleEndian
	case beginsWith(data, "MM\x00*"):
		order = binary.BigEndian
	}
	if order == nil || len(data) < headerLen {
		return 0
	}
	at := int64(order.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return 0
	}
	count, entries := int(order.Uint16(data[at:])), data[at+2:]
	for ; count > 0 && len(entries) >= entryLen; count-- {
		if order.Uint16(entries) == orientation && order.Uint16(entries[2:]) == short {
			return int(order.Uint16(entries[8:]))
		}
		entries = entries[entryLen:]
	}
	return 0
}
