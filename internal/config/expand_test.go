package config

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withValue is the example with another value for node.data, at 4:9.
func withValue(t testing.TB, value string) []byte {
	return []byte(strings.Replace(example(t), "./consentgw-data ", value, 1))
}

func TestSecretsArePutIntoValues(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("from file\n"), 0o600))
	windows := filepath.Join(dir, "windows")
	require.NoError(t, os.WriteFile(windows, []byte("a\r\nb\r\n"), 0o600))
	lines := filepath.Join(dir, "lines")
	require.NoError(t, os.WriteFile(lines, []byte("a\n\n"), 0o600))
	lookup, environ := environment("NAME=value", "EMPTY=", "NESTED=${env:NAME}", "_u1=x")
	for _, c := range []struct{ name, written, want string }{
		{"a variable", `"${env:NAME}"`, "value"},
		{"a variable without quotes", `${env:NAME}`, "value"},
		{"a variable in single quotes", `'${env:NAME}'`, "value"},
		{"between other text", `"/a/${env:NAME}/b"`, "/a/value/b"},
		{"two of them", `"${env:NAME}${env:_u1}"`, "valuex"},
		{"a default that is not needed", `"${env:NAME:-other}"`, "value"},
		{"a default for a variable that is not set", `"${env:NONE:-other}"`, "other"},
		{"a default for an empty variable", `"${env:EMPTY:-other}"`, "other"},
		{"a default with a colon", `"${env:NONE:-a:-b}"`, "a:-b"},
		{"what is put in is not expanded again", `"${env:NESTED}"`, "${env:NAME}"},
		{"an escape", `"$${env:NAME}"`, "${env:NAME}"},
		{"an escape before a variable", `"$${${env:NAME}"`, "${value"},
		{"dollars that mean nothing", `"a$b$"`, "a$b$"},
		{"a file", `"${file:` + secret + `}"`, "from file"},
		{"a file with other line breaks", `"${file:` + windows + `}"`, "a\r\nb"},
		{"only the last line break goes", `"${file:` + lines + `}"`, "a\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, fs := Parse("c.yaml", withValue(t, c.written), lookup, environ)
			require.Empty(t, fs)
			assert.Equal(t, c.want, cfg.Node.Data)
		})
	}
}

func TestWhatCannotBePutInIsAFinding(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "socket")
	l, err := net.Listen("unix", pipe)
	require.NoError(t, err)
	defer l.Close()
	large := filepath.Join(dir, "large")
	require.NoError(t, os.WriteFile(large, make([]byte, maxSecret+1), 0o600))
	for _, c := range []struct{ name, written, want string }{
		{"a variable that is not set", `"${env:NONE}"`,
			"the environment variable NONE is not set; ${env:NONE:-...} gives a default"},
		{"a name that is none", `"${env:NO-NE}"`, "${env:} must name a variable of letters, digits and underscores"},
		{"no name", `"${env:}"`, "${env:} must name a variable of letters, digits and underscores"},
		{"the shell's form", `"${NAME}"`, "${ must be followed by env: or file:; write $${ for the characters themselves"},
		{"no end", `"${env:NAME"`, "${ is not closed by }; write $${ for the characters themselves"},
		{"a file that is not there", `"${file:` + dir + `/none}"`, "${file:" + dir + "/none}: no such file or directory"},
		{"no file", `"${file:}"`, "${file:}: no such file or directory"},
		{"a directory", `"${file:` + dir + `}"`, "${file:" + dir + "}: is not a regular file"},
		{"a file that does not end", `"${file:` + pipe + `}"`, "${file:" + pipe + "}: is not a regular file"},
		{"a large file", `"${file:` + large + `}"`, "${file:" + large + "}: is larger than 64 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, fs := Parse("c.yaml", withValue(t, c.written), nil, nil)
			assert.Equal(t, []string{"c.yaml:4:9: error: node.data: " + c.want}, lines(fs))
		})
	}
}

func TestWhatWasPutInNeverStandsInAFinding(t *testing.T) {
	const secret = "hunter2"
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
	lookup, _ := environment("SECRET=" + secret)
	base := example(t)
	values := strings.FieldsFunc(base, func(r rune) bool { return strings.ContainsRune(" \n,[]{}", r) })
	tried := 0
	for _, v := range values {
		if strings.Count(base, v) != 1 || strings.HasSuffix(v, ":") {
			continue
		}
		for _, put := range []string{"${env:SECRET}", "${file:" + file + "}"} {
			_, fs := Parse("c.yaml", []byte(strings.Replace(base, v, `"`+put+`"`, 1)), lookup, nil)
			assert.NotContains(t, strings.Join(lines(fs), "\n"), secret, "instead of %s", v)
			tried += len(fs)
		}
	}
	assert.Greater(t, tried, 20, "most values are not free text")
}

func TestNoSyntaxErrorRepeatsWhatTheFileHolds(t *testing.T) {
	for _, value := range []string{
		`"hunter2`, `'hunter2`, `|hunter2`, `>hunter2`, `!hunter2{}`, `*hunter2`, `&hunter2`, `%hunter2`, `@hunter2`, "`hunter2",
		`{hunter2`, `[hunter2`, `hunter2: hunter2`, `"\hunter2"`, `"hunter2" hunter2`,
	} {
		_, fs := Parse("c.yaml", []byte("store:\n  redis:\n    password: "+value+"\n"), nil, nil)
		require.Error(t, fs.Err(), value)
		assert.NotContains(t, strings.Join(lines(fs), "\n"), "hunter2", value)
	}
}

func TestAGroupOfAMatchIsNotLookedUpWhereItMayStand(t *testing.T) {
	lookup, environ := environment("CARRIER_B_PASSWORD=a", "CENTER_PASSWORD=b", "CODE=+31", "1=wrong")
	const was = `replace: "0${1}"`
	for _, c := range []struct{ name, replace, want string }{
		{"a group", `"0${1}"`, "0${1}"},
		{"a group beside a variable", `"${env:CODE}${1}"`, "+31${1}"},
		{"a variable that is a group", `"${env:NONE:-$${1}}"`, ""},
		{"only digits are groups", `"${1x}"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, fs := Parse("c.yaml", []byte(strings.Replace(full(t), was, "replace: "+c.replace, 1)), lookup, environ)
			if c.want == "" {
				require.Error(t, fs.Err())
				return
			}
			require.Empty(t, lines(fs))
			assert.Equal(t, c.want, cfg.Routes[0].Rewrite.To[0].Replace)
		})
	}
	_, fs := Parse("c.yaml", withValue(t, `"${1}"`), lookup, environ)
	assert.Equal(t, []string{"c.yaml:4:9: error: node.data: ${ must be followed by env: or file:; write $${ for the characters themselves"}, lines(fs))
}
