package config

import "strings"

// suggest names the candidate closest to what was written, as the end of a
// finding; it is empty if none is close.
func suggest(written string, candidates []string) string {
	if best := closest(written, candidates); best != "" {
		return `; did you mean "` + best + `"?`
	}
	return ""
}

// closest is the candidate with the fewest differences, the first of equals,
// and "" if all differ in more than a third of what was written.
func closest(written string, candidates []string) string {
	best, fewest := "", min(3, (len(written)+2)/3)+1
	word := normal(written)
	for _, c := range candidates {
		if d := distance(word, normal(c), fewest); d < fewest {
			best, fewest = c, d
		}
	}
	return best
}

func normal(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, "-", "_"))
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours between two words; at least limit, if that is reached.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		two, one, row = one, row, two
		row[0] = i + 1
		for j := range len(b) {
			d := one[j]
			if a[i] != b[j] {
				d++
			}
			d = min(d, one[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, two[j-1]+1)
			}
			row[j+1] = d
		}
	}
	return row[len(b)]
}
