package storetest

import (
	"context"
	"sync"
	"time"

	"consentgw/consent"
)

// Method names a method of [consent.Store].
type Method string

// The methods.
const (
	Put        Method = "Put"
	Replace    Method = "Replace"
	Get        Method = "Get"
	Find       Method = "Find"
	Search     Method = "Search"
	Unfinished Method = "Unfinished"
	Ping       Method = "Ping"
)

// Fault is what goes wrong with one operation, in the order of the fields. The
// zero Fault is no fault.
type Fault struct {
	// Kept carries the operation out before anything goes wrong: the reply is
	// what gets lost or late, not the write.
	Kept bool
	// Block answers nothing until the context ends, then its cause.
	Block bool
	// Until delays the answer until the channel is closed, Delay by a time;
	// a context that ends before is the error.
	Until <-chan struct{}
	Delay time.Duration
	// Err is the answer. If it is nil, the operation's own answer is.
	Err error
}

// Faulty is a [consent.Store] in front of another one. Closing it closes that.
type Faulty struct {
	consent.Store

	mu    sync.Mutex
	fault func(Method, *consent.Record) Fault // guarded by mu
	calls map[Method]int                      // guarded by mu
}

// NewFaulty returns a store that is as good as s until Fail says otherwise.
func NewFaulty(s consent.Store) *Faulty {
	return &Faulty{Store: s, calls: map[Method]int{}}
}

// Fail sets what goes wrong from now on: fault is asked for every operation,
// with the record if it is a write, under no lock. Nil ends the faults.
func (f *Faulty) Fail(fault func(Method, *consent.Record) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// FailWrites makes every Put, Replace and Ping end with fault.
func (f *Faulty) FailWrites(fault Fault) {
	f.Fail(func(m Method, _ *consent.Record) Fault {
		if m == Put || m == Replace || m == Ping {
			return fault
		}
		return Fault{}
	})
}

// Away makes every operation end with err, as if the store were not there.
func (f *Faulty) Away(err error) {
	f.Fail(func(Method, *consent.Record) Fault { return Fault{Err: err} })
}

// Calls is how often the method was called.
func (f *Faulty) Calls(m Method) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[m]
}

func (f *Faulty) next(m Method, r *consent.Record) Fault {
	f.mu.Lock()
	f.calls[m]++
	fault := f.fault
	f.mu.Unlock()
	if fault == nil {
		return Fault{}
	}
	return fault(m, r)
}

// do runs one operation under its fault.
func (f *Faulty) do(ctx context.Context, m Method, r *consent.Record, operate func() error) error {
	fault := f.next(m, r)
	var own error
	if fault.Kept {
		own = operate()
	}
	if err := fault.wait(ctx); err != nil {
		return err
	}
	if fault.Err != nil {
		return fault.Err
	}
	if !fault.Kept {
		own = operate()
	}
	return own
}

func (fault Fault) wait(ctx context.Context) error {
	if fault.Block {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if fault.Until != nil {
		select {
		case <-fault.Until:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Put implements [consent.Store].
func (f *Faulty) Put(ctx context.Context, r *consent.Record) error {
	return f.do(ctx, Put, r, func() error { return f.Store.Put(ctx, r) })
}

// Replace implements [consent.Store].
func (f *Faulty) Replace(ctx context.Context, r, seen *consent.Record) error {
	return f.do(ctx, Replace, r, func() error { return f.Store.Replace(ctx, r, seen) })
}

// Get implements [consent.Store].
func (f *Faulty) Get(ctx context.Context, id consent.RecordID) (r *consent.Record, err error) {
	err = f.do(ctx, Get, nil, func() (err error) { r, err = f.Store.Get(ctx, id); return err })
	return answer(r, err)
}

// Find implements [consent.Store].
func (f *Faulty) Find(ctx context.Context, call string) (r *consent.Record, err error) {
	err = f.do(ctx, Find, nil, func() (err error) { r, err = f.Store.Find(ctx, call); return err })
	return answer(r, err)
}

// Search implements [consent.Store].
func (f *Faulty) Search(ctx context.Context, q consent.Query) (page consent.Page, err error) {
	err = f.do(ctx, Search, nil, func() (err error) { page, err = f.Store.Search(ctx, q); return err })
	return answer(page, err)
}

// Unfinished implements [consent.Store].
func (f *Faulty) Unfinished(ctx context.Context, node string) (ids []consent.RecordID, err error) {
	err = f.do(ctx, Unfinished, nil, func() (err error) { ids, err = f.Store.Unfinished(ctx, node); return err })
	return answer(ids, err)
}

// Ping implements [consent.Store].
func (f *Faulty) Ping(ctx context.Context) error {
	return f.do(ctx, Ping, nil, func() error { return f.Store.Ping(ctx) })
}

// answer is nothing but the error if there is one.
func answer[T any](value T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return value, nil
}
