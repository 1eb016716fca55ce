// Package prompts holds the notices: what is played to ask for consent and
// what is said around it, by notice, version and language.
//
// A prompt is one audio file and the text it speaks. Both are hashed, because
// the record of a decision says exactly what was heard. A version of a notice
// never changes once it has been used; Seal holds that across restarts.
package prompts

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The prompts of a notice. Only Ask is compulsory.
const (
	Ask           = "ask"            // the notice and the question
	Agreed        = "agreed"         // after a yes
	Refused       = "refused"        // after a no
	NotUnderstood = "not-understood" // after another key, or none
	Stopped       = "stopped"        // the recording was stopped during the call
	Resumed       = "resumed"        // and goes on
	Connecting    = "connecting"     // before the platform is dialed
	Unrecorded    = "unrecorded"     // something failed, the call goes on unrecorded
	More          = "more"           // the second layer: basis, retention, rights
)

// The prompts that only a notice has by which more than one purpose is asked for.
// With About it informs, once; then it asks, by Ask for all purposes or by AskFor
// for one. Before Ask it names what it asks for by NameOf.
const (
	About  = "about"  // who asks, and what is true whatever the purpose
	Chosen = "chosen" // after a yes to some purposes and a no to others
)

// AskFor is the name of the prompt that asks for one purpose.
func AskFor(purpose string) string { return "ask-" + purpose }

// NameOf is the name of the prompt that names a purpose.
func NameOf(purpose string) string { return "purpose-" + purpose }

// Names returns the names of the prompts that any notice may have, Ask first.
func Names() []string {
	return []string{Ask, Agreed, Refused, NotUnderstood, Stopped, Resumed, Connecting, Unrecorded, More}
}

// ofPurpose is the name of a prompt about one purpose.
var ofPurpose = regexp.MustCompile(`^(ask|purpose)-[a-z][a-z0-9_-]{0,63}$`)

// known reports whether a notice may have a prompt of that name.
func known(name string) bool {
	return slices.Contains(Names(), name) || name == About || name == Chosen || ofPurpose.MatchString(name)
}

// ordered sorts names: those of Names first, in their order, then the others.
func ordered(names []string) []string {
	place := func(name string) int {
		if i := slices.Index(Names(), name); i >= 0 {
			return i
		}
		return len(Names())
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(place(a)-place(b), strings.Compare(a, b)) })
	return names
}

// Errors that Library.Notice wraps; the text adds what there is instead.
var (
	ErrNoNotice   = errors.New("no such notice")
	ErrNoLanguage = errors.New("notice not available in this language")
)

// A Prompt is a piece of speech. It never changes and is shared by all calls;
// nobody writes to its audio.
type Prompt struct {
	Name        string
	Text        string // the text file as it is, UTF-8
	TextSHA256  string // of the bytes of the text file, in lower-case hex
	AudioSHA256 string // of the bytes of the WAV file, in lower-case hex
	Duration    time.Duration
	PCMU        []byte // 8000 bytes a second, ITU-T G.711 µ-law
	PCMA        []byte // the same in A-law

	Opus       [][]byte // packets of 20 ms (RFC 7587); nil if there is no Opus file
	OpusSHA256 string   // of the bytes of that file, in lower-case hex

	g722 func() []byte
}

// G722 returns the audio in ITU-T G.722, 8000 bytes a second. The first call
// makes it, which takes some milliseconds for each second of speech.
func (p *Prompt) G722() []byte { return p.g722() }

// A Notice is one version of a notice in one language. It never changes.
type Notice struct {
	ID       string
	Version  string // a positive decimal number
	Language string

	number  int // Version as a number
	prompts map[string]*Prompt
}

// Prompt returns the prompt of that name, nil if the notice has none. Every
// notice has Ask.
func (n *Notice) Prompt(name string) *Prompt { return n.prompts[name] }

// InOpus reports whether the notice can be played in Opus: either all of its
// prompts have that form, or none has.
func (n *Notice) InOpus() bool { p := n.prompts[Ask]; return p != nil && p.Opus != nil }

// Prompts returns the prompts there are: those of Names in that order, then the
// others by name.
func (n *Notice) Prompts() []*Prompt {
	var all []*Prompt
	for _, name := range ordered(slices.Collect(maps.Keys(n.prompts))) {
		all = append(all, n.prompts[name])
	}
	return all
}

// A Library is a set of notices, constant once opened and safe for concurrent
// use.
type Library struct {
	all    []*Notice      // every version, sorted by id, language, version
	newest map[string]int // the version in force by notice id
}

func newLibrary(all []*Notice) *Library {
	slices.SortFunc(all, func(a, b *Notice) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Language, b.Language), a.number-b.number)
	})
	l := &Library{all: all, newest: make(map[string]int)}
	for _, n := range all {
		l.newest[n.ID] = max(l.newest[n.ID], n.number)
	}
	return l
}

// Notices returns the notices in force, sorted by id and language.
//
// In force is the highest version of a notice. A language that only an older
// version has is not in force: what it says is no longer what is said.
func (l *Library) Notices() []*Notice {
	var current []*Notice
	for _, n := range l.all {
		if n.number == l.newest[n.ID] {
			current = append(current, n)
		}
	}
	return current
}

// Notice returns the version in force of a notice in exactly this language.
// ErrNoNotice or ErrNoLanguage if there is none; the error names those there
// are.
func (l *Library) Notice(id, language string) (*Notice, error) {
	var languages, ids []string
	for _, n := range l.Notices() {
		switch {
		case n.ID == id && n.Language == language:
			return n, nil
		case n.ID == id:
			languages = append(languages, n.Language)
		case !slices.Contains(ids, n.ID):
			ids = append(ids, n.ID)
		}
	}
	if len(languages) == 0 {
		return nil, fmt.Errorf("prompts: %q: %w; there is %s", id, ErrNoNotice, strings.Join(ids, ", "))
	}
	return nil, fmt.Errorf("prompts: notice %q, version %d, language %q: %w; it has %s",
		id, l.newest[id], language, ErrNoLanguage, strings.Join(languages, ", "))
}
