package oggopus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	pageHeader = 27 // up to the segment table

	continued   = 1 // flags of a page
	firstOfAll  = 2
	lastOfAll   = 4
	nothingEnds = ^uint64(0) // the position of a page on which no packet ends
)

// page is one page of the container (RFC 3533 section 6):
//
//	"OggS" version(8) flags(8) position(64) serial(32) number(32) checksum(32) segments(8) table, data
type page struct {
	flags    byte
	position uint64
	serial   uint32
	number   uint32
	table    []byte // lengths of the segments
	data     []byte
}

// readPage takes the page at the beginning of b and returns what is behind it.
func readPage(b []byte) (p page, rest []byte, err error) {
	if len(b) < pageHeader {
		return p, nil, fmt.Errorf("%d bytes are no page", len(b))
	}
	if string(b[:4]) != "OggS" {
		return p, nil, errors.New("no page begins where one should")
	}
	if b[4] != 0 {
		return p, nil, fmt.Errorf("version %d of the container, want 0", b[4])
	}
	size := pageHeader + int(b[26])
	if len(b) < size {
		return p, nil, errors.New("the segment table is cut off")
	}
	p = page{
		flags: b[5], position: binary.LittleEndian.Uint64(b[6:]), serial: binary.LittleEndian.Uint32(b[14:]),
		number: binary.LittleEndian.Uint32(b[18:]), table: b[pageHeader:size],
	}
	for _, n := range p.table {
		size += int(n)
	}
	if len(b) < size {
		return p, nil, errors.New("it is cut off")
	}
	if got, want := checksum(b[:size]), binary.LittleEndian.Uint32(b[22:]); got != want {
		return p, nil, fmt.Errorf("its checksum is %08x, and should be %08x", got, want)
	}
	p.data = b[pageHeader+len(p.table) : size]
	return p, b[size:], nil
}

// checksum is the CRC of a page, whose own field counts as zero: polynomial
// 0x04C11DB7, nothing reflected, nothing inverted.
func checksum(b []byte) uint32 {
	var crc uint32
	for i, c := range b {
		if i >= 22 && i < 26 {
			c = 0
		}
		crc ^= uint32(c) << 24
		for range 8 {
			if crc&0x80000000 != 0 {
				crc = crc<<1 ^ 0x04C11DB7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
