package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBrokenYAMLIsOneFindingAtItsPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a quote that stays open", "node:\n  id: \"a\n", "2:7: error: YAML: could not find end character of double-quoted text"},
		{"a list that stays open", "trunks: [1, 2\nnode: {}\n", "2:1: error: YAML: ',' or ']' must be specified"},
		{"a block that stays open", "node: {id: a\n", "1:7: error: YAML: could not find flow mapping end token '}'"},
		{"two colons", "node: id: a\n", "1:7: error: YAML: mapping value is not allowed in this context"},
		{"a tab for spaces", "node:\n\tid: a\n", "2:1: error: YAML: found character '\t' that cannot start any token"},
		{"a wrong indentation", "node:\n  id: a\n data: b\n", "3:2: error: YAML: value is not allowed in this context"},
		{"a value that cannot begin so", "node: {}\nlog: @x\n", "2:6: error: YAML: '@' is a reserved character"},
		{"a bare star", "node: {}\nlog: *\n", "2:6: error: YAML: " + noAlias},
		{"an alias", "node: {id: *a}\n", "1:12: error: " + noAlias},
		{"an anchor", "node: {id: &a b}\n", "1:12: error: " + noAnchor},
		{"a tag", "node: {id: !!str 7}\n", "1:12: error: " + noTag},
		{"a tag on nothing", "node:\n  !x\n", "2:3: error: " + noTag},
		{"a tag on a file", "![", "1:1: error: " + noTag},
		{"a merge", "node:\n  <<: {id: a}\n", "2:3: error: " + noMerge},
		{"a question mark key", "? node\n: {id: a}\n", "1:1: error: a key must be a plain word"},
		{"a directive", "%YAML 1.2\n---\nnode: {}\n", "1:1: error: YAML directives (%) are not supported"},
		{"a second document", "node: {}\n---\nnode: {}\n", "2:1: error: a second YAML document starts here: one file is one configuration"},
		{"a second document after an end", "node: {}\n...\nlog: {}\n", "3:1: error: a second YAML document starts here: one file is one configuration"},
		{"two marks", "---\n---\nnode: {}\n", "2:1: error: a second YAML document starts here: one file is one configuration"},
		{"a list for a file", "- node\n", "1:1: error: the file must be a block of keys, is a list"},
		{"a word for a file", "\n\nnode\n", "3:1: error: the file must be a block of keys, is a single value"},
		{"an anchor for a file", "&a\nnode: {}\n", "1:1: error: " + noAnchor},
		{"bytes that are no text", "node:\n  id: é\xff\n", "2:8: error: the file is not UTF-8 text"},
		{"a NUL", "node:\n  id: a\x00\n", "2:8: error: the file has a control character (U+0000)"},
		{"a line break of 1984", "node:\r  id: a\r", "1:6: error: the file has a control character (U+000D)"},
		{"a large file", strings.Repeat("#", MaxSize) + "\n", "1:1: error: the file is larger than 1024 KiB"},
		{"many blank lines", "node:\n" + strings.Repeat(" \n", 101), "102:2: error: more than 100 blank lines in a row"},
		{"a deep list", strings.Repeat("[", 40), "1:33: error: nested more than 32 levels deep"},
		{"a deep block", strings.Repeat("- ", 40) + "a", "1:65: error: nested more than 32 levels deep"},
		{"many keys", manyKeys(257), "257:5: error: more than 256 keys in one block"},
		{"many anchors", "a: [" + strings.Repeat("*a, ", 1001) + "]", "1:4005: error: more than 1000 YAML aliases, anchors and tags"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, fs := Parse("c.yaml", []byte(c.text), nil, nil)
			require.NotEmpty(t, fs)
			fs = slices.DeleteFunc(fs, func(f Finding) bool { return f.Severity == Warning }) // that the lists are absent
			assert.Equal(t, []string{"c.yaml:" + c.want}, lines(fs))
			assert.Error(t, fs.Err())
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%03d: 1\n", i)
	}
	return b.String()
}

func TestYAMLMayBeWrittenInItsManyWays(t *testing.T) {
	want, fs := Parse("c.yaml", []byte(example(t)), nil, nil)
	require.Empty(t, fs)
	for name, change := range map[string]func(string) string{
		"with a byte order mark":    func(s string) string { return "\ufeff" + s },
		"with the lines of Windows": func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"as a marked document":      func(s string) string { return "---\n" + s + "...\n" },
		"without a last line break": func(s string) string { return strings.TrimSuffix(s, "\n") },
		"with one kind of quotes":   func(s string) string { return strings.ReplaceAll(s, `"`, `'`) },
		"with many comments":        func(s string) string { return strings.ReplaceAll(s, "\n", "\n# comment\n") },
		"with a block of text": func(s string) string {
			return strings.Replace(s, "id: gw-1\n", "id: >-\n    gw-1\n", 1)
		},
		"with lists over lines": func(s string) string {
			return strings.Replace(s, `from: ["127.0.0.0/8"]`, "from:\n    - 127.0.0.0/8 ", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, fs := Parse("c.yaml", []byte(change(example(t))), nil, nil)
			assert.Empty(t, lines(fs))
			assert.Equal(t, want, got)
		})
	}
}

func TestAnchorsAreRefusedEachAtItsPlaceBesideOtherFindings(t *testing.T) {
	_, fs := Parse("c.yaml", []byte("node: &n {id: a}\nlog: *n\nstore: {<<: *n, redis: {timeout: 5}}\n"), nil, nil)
	assert.Equal(t, []string{
		"c.yaml:1:1: warning: routes: the file has no trunks, platforms, recorders, policies and routes: those of the loopback defaults are used",
		"c.yaml:1:7: error: " + noAnchor,
		"c.yaml:2:6: error: " + noAlias,
		"c.yaml:3:9: error: " + noMerge,
		"c.yaml:3:24: error: store.redis.addrs: is missing: list the servers as host:port",
		"c.yaml:3:34: error: store.redis.timeout: must be a time with its unit, such as 30s, 500ms or 1m30s; it is \"5\"",
	}, lines(fs))
}

func TestFindingsAreBounded(t *testing.T) {
	text := "trunks:\n" + strings.Repeat("  - {}\n", 5000)
	_, fs := Parse("c.yaml", []byte(text), nil, nil)
	require.Len(t, fs, maxFindings+1)
	assert.Contains(t, fs.Err().Error(), "there are more than 1000 findings: the rest is left out")
}

// hostile makes files of about n bytes that grow something the parser is slow
// at.
func hostile(n int) map[string]string {
	fill := func(s string) string { return strings.Repeat(s, n/len(s)) }
	return map[string]string{
		"open lists": fill("["), "open blocks": fill("{a: "), "nested items": fill("- "), "nested keys": fill("? "),
		"keys": manyKeys(n / 8), "question marks": fill("? a\n"), "tags": fill("!!x "), "anchors": fill("&a "), "aliases": fill("*a "),
		"keys in a list": "[\n" + fill("a: 1\n"), "pairs in a list": "[" + fill("a: 1, ") + "]", "documents": fill("---\n"),
		"blank lines in a text": "a: |\n" + fill("\n"), "blank lines in runs": "a: |\n" + fill("  x"+strings.Repeat("\n", 100)),
		"lines of text": "a: |\n" + fill("  x\n"), "lines of plain text": "a: b\n" + fill("  x\n"), "quoted lines": "a: \"" + fill("x\n") + "\"",
		"items": fill("- a\n"), "one list": "[" + fill("a, ") + "]", "one block": "{" + fill("a: b, ") + "}", "colons": fill(": "),
		"routes": "routes:\n" + fill("  - {name: a, platform: b}\n"), "steps": steps(n),
	}
}

func steps(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestAHostileFileIsRefusedInReasonableTime(t *testing.T) {
	for name, text := range hostile(100_000) {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, fs := Parse("c.yaml", []byte(text), nil, nil)
			assert.Error(t, fs.Err())
			assert.Less(t, time.Since(start), 10*time.Second, "unbounded, some of these take minutes")
		})
	}
}
