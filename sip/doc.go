// Package sip is the gateway's signalling: it answers and makes calls.
//
// An Endpoint owns sockets. Serve hands every new INVITE to Handler.Invite as
// an Incoming; Answer turns it into a Leg. Dial makes a Leg in the other
// direction. A Leg is one answered dialog (RFC 3261 section 12) and ends once.
//
// Parsing, transports and transactions are github.com/emiago/sipgo's; dialogs,
// 2xx retransmission, forks, CANCEL crossings, glare and admission are ours.
// This is the only package of the gateway that imports sipgo.
//
// A provisional response makes an early dialog, which is a Leg already for what
// the far end may do (Early.InDialog, Invite.InDialog) and becomes the leg that
// Answer and Dial return. PRACK, UPDATE and session timers work on either side
// of a call without the other.
//
// # Order
//
// sipgo starts a goroutine for every message, so the order in which messages
// came in is lost by the time a transaction sees them. Endpoint.arrive runs
// before that, in the reading goroutine, and keeps what must be kept: our
// To tag, the turn of every in-dialog request, and the sequence of responses
// to our INVITEs. Nothing else may rely on order.
//
// # Who is let in
//
// Config.Admit judges a sender by its address before anything is kept for it;
// Incoming.Identities names who showed a certificate, Incoming.Authenticate asks
// for a password. TLS files are read again by Endpoint.ReloadTLS: what is
// connected stays as it is, what connects next sees the new ones.
//
// # Traps
//
// "Trap 7" or "D3" in a comment counts a defect or a surprise of sipgo v1.7.2
// that is worked around there. A test with that name shows that it is; where
// there is none, the workaround is not to use the thing: sipgo's dialogs,
// ServerTransactionContext (22), handlers registered while serving (21).
//
// # Privacy
//
// No error, log line or panic report of this package contains a number, a
// name, a body or a message as it came. Errors of sipgo quote request lines
// and are therefore never wrapped, only classified (see unreachable).
package sip
