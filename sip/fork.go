package sip

import (
	"context"
	"fmt"

	siplib "github.com/emiago/sipgo/sip"
)

// A fork is one of the dialogs that 2xx responses to one INVITE make, each with
// a To tag of its own (RFC 3261 section 13.2.2.4).
type fork struct {
	dialog *dialog
	ack    *siplib.Request
	hop    hop
}

// acknowledge sends the ACK of the fork's 2xx: the same one each time, with the
// CSeq of the INVITE whatever was sent in the dialog since (trap 5).
func (f *fork) acknowledge() error {
	if f.ack == nil {
		ack, h, err := f.dialog.build(context.Background(), siplib.ACK, f.dialog.invite)
		if err != nil {
			return fmt.Errorf("%w: %w", errAnswered, err)
		}
		f.ack, f.hop = ack, h
	}
	f.hop.write(f.ack)
	return nil
}

// onAnswer handles a 2xx after the first, or after the INVITE was given up:
// repetitions of the leg's are acknowledged again; every other dialog is
// acknowledged and, once, released (traps 3 and 10).
func (d *dialing) onAnswer(res *siplib.Response) {
	tag := param(res.To().Params, "tag")
	f := d.forks[tag]
	first := f == nil
	if first {
		if len(d.forks) >= maxForks {
			return
		}
		f = &fork{dialog: d.dialogFor(res)}
		d.forks[tag] = f
	}
	if f.acknowledge() != nil || !first || f == d.won {
		return
	}
	d.e.spawn(func() {
		defer d.e.guard("releasing a fork", nil)
		f.dialog.sayBye("", nil)
	}, &d.e.sends)
}

// maxForks is how many answers to one INVITE are told apart.
const maxForks = 32
