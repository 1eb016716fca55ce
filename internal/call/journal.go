package call

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"consentgw/consent"
	"consentgw/internal/metrics"
	"consentgw/internal/spool"
	"consentgw/internal/stored"

	"github.com/google/uuid"
)

// JournalConfig is what a [Journal] is built from.
type JournalConfig struct {
	Store   consent.Store
	Spool   *spool.Spool  // where records wait while the store is away; nil: in memory
	Name    string        // names this process in every version it writes
	Timeout time.Duration // of one write
	Metrics *metrics.Set
	Log     *slog.Logger
}

// Journal stores the versions of records that nobody waits for: everything but
// a yes. A record has one newest version; older ones that were not stored yet
// are skipped, because a version is the whole record. While the store is away
// versions go to the spool, which survives a crash, and move on when it is back.
type Journal struct {
	JournalConfig
	// Set by New, for the calls that are live here. up says which those are;
	// merge lets one of them take over a version, and returns its record after
	// it: nil if it is not live, an error if it could not be asked.
	up    func(consent.RecordID) bool
	merge func(ctx context.Context, other *consent.Record) (*consent.Record, error)

	mu      sync.Mutex
	ready   *sync.Cond // of mu: queue grew, or closing
	pending map[consent.RecordID]*entry
	queue   []*entry
	closing bool
}

// entry is the newest version of a record that is not stored.
type entry struct {
	record *consent.Record
	// queued: in the queue, or in the hands of a worker that will look again.
	queued bool
	kept   chan struct{} // closed when the newest version is kept
}

// ProcessName names one run of a node: the writer of its records. Another run of
// the same node has another name, so what a crash left open can be told.
func ProcessName(node string) string { return node + "/" + uuid.NewString() }

// NewJournal returns a journal; Run makes it write.
func NewJournal(cfg JournalConfig) *Journal {
	j := &Journal{JournalConfig: cfg, pending: map[consent.RecordID]*entry{},
		up:    func(consent.RecordID) bool { return false },
		merge: func(context.Context, *consent.Record) (*consent.Record, error) { return nil, nil }}
	j.ready = sync.NewCond(&j.mu)
	return j
}

// workers is how many writes are under way at once: enough that a store that
// takes 150 ms keeps up with 200 versions a second.
const workers = 32

// retryEvery is how often a store that failed is tried again.
const retryEvery = time.Second

// Run writes until ctx ends and then stores or spools what is left.
func (j *Journal) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(j.work)
	}
	retry := time.NewTicker(retryEvery)
	defer retry.Stop()
	for ctx.Err() == nil {
		select {
		case <-retry.C:
			j.again(ctx)
		case <-ctx.Done():
		}
	}
	j.mu.Lock()
	j.closing = true
	j.requeue()
	j.ready.Broadcast()
	j.mu.Unlock()
	wg.Wait()
	if n := len(j.pending); n > 0 { // nobody else is left
		j.Log.Error("records could not be kept anywhere and are lost", "records", n)
	}
}

// Save takes a version to store. It neither blocks nor fails; r is not modified
// afterwards.
func (j *Journal) Save(r *consent.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.pending[r.ID]
	if e == nil {
		e = &entry{kept: make(chan struct{})}
		j.pending[r.ID] = e
	}
	if e.record == nil || e.record.Epoch <= r.Epoch {
		e.record = r
	}
	if !e.queued {
		j.push(e)
	}
}

// Await returns when the newest version of a record is kept, in the store or in
// the spool, or when ctx ends: nil if it is kept.
func (j *Journal) Await(ctx context.Context, id consent.RecordID) error {
	j.mu.Lock()
	e := j.pending[id]
	j.mu.Unlock()
	if e == nil {
		return nil
	}
	select {
	case <-e.kept:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Find returns a record that is not in the store yet, by its id or the Call-ID
// of either leg.
func (j *Journal) Find(call string) (*consent.Record, bool) {
	if r, ok := j.waiting(call); ok {
		return r, true
	}
	if j.Spool == nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), j.Timeout)
	defer cancel()
	r, err := j.Spool.Find(ctx, call)
	return r, err == nil
}

func (j *Journal) waiting(call string) (*consent.Record, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e, ok := j.pending[consent.RecordID(call)]; ok {
		return e.record, true
	}
	for _, e := range j.pending {
		if e.record.Call.Has(call) {
			return e.record, true
		}
	}
	return nil, false
}

func (j *Journal) push(e *entry) {
	e.queued = true
	j.queue = append(j.queue, e)
	j.ready.Signal()
}

// requeue puts versions that failed back into the queue. j.mu is held.
func (j *Journal) requeue() {
	for _, e := range j.pending {
		if !e.queued {
			j.push(e)
		}
	}
}

// again tries what failed before.
func (j *Journal) again(ctx context.Context) {
	j.mu.Lock()
	j.requeue()
	j.mu.Unlock()
	if j.Spool == nil {
		return
	}
	if j.Spool.Len() > 0 && j.Store.Ping(ctx) == nil {
		moved, err := j.Spool.Drain(ctx, j.Store)
		if moved > 0 {
			j.Log.Info("spooled records stored", "records", moved)
		}
		if err != nil && ctx.Err() == nil {
			j.Log.Warn("spool not drained", "error", err)
		}
	}
	j.Metrics.Spool(j.Spool.Len())
}

// work is one worker: it takes the oldest entry and stores its newest version.
func (j *Journal) work() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		for len(j.queue) == 0 && !j.closing {
			j.ready.Wait()
		}
		if len(j.queue) == 0 {
			return
		}
		e := j.queue[0]
		j.queue = j.queue[1:]
		r := e.record
		j.mu.Unlock()
		kept := j.keep(r)
		j.mu.Lock()
		e.queued = false
		switch {
		case e.record != r: // a newer version came meanwhile
			j.push(e)
		case kept:
			delete(j.pending, r.ID)
			close(e.kept)
		}
	}
}

// keep makes one version durable, in the store or else in the spool, and
// reports whether there is nothing left to do about it.
func (j *Journal) keep(r *consent.Record) bool {
	ctx, cancel := context.WithTimeout(context.Background(), j.Timeout)
	defer cancel()
	began := time.Now()
	err := j.put(ctx, r)
	result := "ok"
	switch {
	case errors.Is(err, stored.ErrInvalid):
		result = "invalid" // no store will ever take it, and the spool neither
	case err != nil:
		result = "failed"
	}
	j.Metrics.StoreOp("put", result, time.Since(began).Seconds())
	switch result {
	case "ok":
		j.Metrics.StoreUp("records", true)
		return true
	case "invalid":
		j.Log.Error("record cannot be stored and is lost", "record", r.ID, "error", err)
		return true
	}
	j.Metrics.StoreUp("records", errors.Is(err, consent.ErrConflict))
	if j.Spool == nil {
		j.Log.Error("record not stored, kept in memory", "record", r.ID, "error", err)
		return false
	}
	if e := j.Spool.Add(r); e != nil {
		j.Log.Error("record neither stored nor spooled, kept in memory", "record", r.ID, "error", errors.Join(err, e))
		return false
	}
	return true
}

// conflicts is how often a version is merged with those of other writers before
// it waits for its next turn.
const conflicts = 4

// put stores r, together with what others have stored meanwhile. A newer
// version that is there already is as good.
func (j *Journal) put(ctx context.Context, r *consent.Record) error {
	err := j.Store.Put(ctx, r)
	for try := 0; errors.Is(err, consent.ErrConflict) && try < conflicts; try++ {
		err = j.settle(ctx, r)
	}
	if errors.Is(err, consent.ErrStale) {
		return nil
	}
	return err
}

// settle merges r with what another writer stored meanwhile, such as a
// withdrawal through another node. A live call merges by itself, because it has
// a gate to shut.
//
// The versions of a call that is not live here may still be on their way, the
// last one with its end above all. So what is merged for it bears the mark of
// another writer: the next version meets a conflict, and not a version of its
// own writer that it would overwrite or hide behind.
func (j *Journal) settle(ctx context.Context, r *consent.Record) error {
	other, err := j.Store.Get(ctx, r.ID)
	if err != nil {
		return err
	}
	merged, err := j.merge(ctx, other)
	if err != nil {
		return err
	}
	if merged == nil {
		merged = r.Clone()
		merged.Merge(other)
		merged.Writer = j.Name + "+merged"
	}
	return j.Store.Replace(ctx, merged, other)
}
