// Package consent is the law of the gateway and nothing else: who is asked,
// what a key press means, what becomes of it, how it is evidenced, and who may
// open a recorder. It imports the standard library only, performs no I/O of
// its own and reads no clock: time is an argument.
//
// The one thing that another package cannot forge is a [Permit]. It is minted
// by [Commit] alone, after the [Store] said that a granted decision is durable,
// and every recorder demands one.
package consent
