package call

import (
	"context"
	"errors"

	"consentgw/consent"
)

// Recover closes the records that an earlier process of this node left open:
// their calls died with it. It returns how many it closed, and the first error
// of the store, after which it may be called again.
func (j *Journal) Recover(ctx context.Context, node string, now consent.Clock) (closed int, err error) {
	var stuck error // a record in the spool, or the store itself: that shows below
	if j.Spool != nil {
		_, stuck = j.Spool.Drain(ctx, j.Store)
	}
	ids, err := j.Store.Unfinished(ctx, node)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		done, err := j.cutOff(ctx, id, now)
		if err != nil {
			return closed, err
		}
		if done {
			closed++
		}
	}
	return closed, stuck
}

// cutOff closes one record, unless its call is one of this process or has its
// end already. It reports whether it did.
func (j *Journal) cutOff(ctx context.Context, id consent.RecordID, now consent.Clock) (done bool, err error) {
	for range conflicts {
		var seen *consent.Record
		seen, err = j.Store.Get(ctx, id)
		switch {
		case errors.Is(err, consent.ErrNotFound):
			return false, nil
		case err != nil:
			return false, err
		case seen.Ended() || seen.Writer == j.Name || j.up(id):
			return false, nil
		}
		if _, waits := j.waiting(string(id)); waits {
			return false, nil
		}
		r := seen.Clone()
		r.CutOff(now(), j.Name)
		if err = j.Store.Replace(ctx, r, seen); !errors.Is(err, consent.ErrConflict) {
			return err == nil, err
		}
	}
	return false, err
}
