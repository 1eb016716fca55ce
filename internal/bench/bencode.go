package bench

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Bencoding is how rtpengine speaks: a dictionary is a map[string]any, a list
// []any, an integer int64, and a string stays one.

var errBencode = errors.New("bencoding")

// maxNesting is more than any answer has.
const maxNesting = 16

// bencode writes what of a request is needed: strings, lists of strings, and
// dictionaries of both.
func bencode(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return append(strconv.AppendInt(dst, int64(len(v)), 10), ":"+v...), nil
	case []string:
		dst = append(dst, 'l')
		for _, s := range v {
			dst, _ = bencode(dst, s) // a string has no error
		}
		return append(dst, 'e'), nil
	case map[string]any:
		dst = append(dst, 'd')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			var err error
			dst, _ = bencode(dst, key)
			if dst, err = bencode(dst, v[key]); err != nil {
				return nil, err
			}
		}
		return append(dst, 'e'), nil
	}
	return nil, fmt.Errorf("%w: cannot write a %T", errBencode, v)
}

// bdecode reads one value, which is all of data.
func bdecode(data []byte) (any, error) {
	v, rest, err := bvalue(data, 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d bytes too many", errBencode, len(rest))
	}
	return v, err
}

func bvalue(data []byte, depth int) (v any, rest []byte, err error) {
	switch {
	case len(data) == 0:
		return nil, nil, fmt.Errorf("%w: ends too early", errBencode)
	case depth > maxNesting:
		return nil, nil, fmt.Errorf("%w: nested deeper than %d", errBencode, maxNesting)
	case data[0] == 'i':
		return bnumber(data[1:], 'e')
	case data[0] == 'l':
		return blist(data[1:], depth+1)
	case data[0] == 'd':
		return bdictionary(data[1:], depth+1)
	}
	return bstring(data)
}

func bnumber(data []byte, until byte) (v any, rest []byte, err error) {
	digits, rest, ok := bytes.Cut(data, []byte{until})
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if !ok || err != nil {
		return nil, nil, fmt.Errorf("%w: no number", errBencode)
	}
	return n, rest, nil
}

func bstring(data []byte) (v any, rest []byte, err error) {
	length, rest, err := bnumber(data, ':')
	if err != nil {
		return nil, nil, err
	}
	n, _ := length.(int64)
	if n < 0 || n > int64(len(rest)) {
		return nil, nil, fmt.Errorf("%w: a string of %d bytes where %d are left", errBencode, n, len(rest))
	}
	return string(rest[:n]), rest[n:], nil
}

func blist(data []byte, depth int) (any, []byte, error) {
	list := []any{}
	for len(data) > 0 && data[0] != 'e' {
		v, rest, err := bvalue(data, depth)
		if err != nil {
			return nil, nil, err
		}
		list, data = append(list, v), rest
	}
	if len(data) == 0 {
		return nil, nil, fmt.Errorf("%w: a list without an end", errBencode)
	}
	return list, data[1:], nil
}

func bdictionary(data []byte, depth int) (any, []byte, error) {
	all := map[string]any{}
	for len(data) > 0 && data[0] != 'e' {
		key, rest, err := bstring(data)
		if err != nil {
			return nil, nil, err
		}
		v, rest, err := bvalue(rest, depth)
		if err != nil {
			return nil, nil, err
		}
		name, _ := key.(string)
		all[name], data = v, rest
	}
	if len(data) == 0 {
		return nil, nil, fmt.Errorf("%w: a dictionary without an end", errBencode)
	}
	return all, data[1:], nil
}
