//go:build !linux || 386 || s390x

package bench

import "errors"

var errSystem = errors.New("the bench needs Linux, on a processor other than 386 and s390x")

// generator cannot be had here.
type generator struct{}

func (*generator) answer(request) (answer, error) { return answer{}, errSystem }
func (*generator) close() error                   { return nil }

// bare cannot be had here.
type bare struct{}

func newBare(Subject) relay            { return bare{} }
func (bare) open(Spec) ([]ends, error) { return nil, errSystem }
func (bare) process() int              { return 0 }
func (bare) close() error              { return nil }

func usageOf(int) (usage, error) { return usage{}, errSystem }
