#!/usr/bin/env bash
# Speaks every text under prompts/audio and internal/demo/audio and writes the
# manifest of the notices.
#
#   prompts/build.sh           builds all audio in place
#   prompts/build.sh --check   builds it elsewhere and compares; changes nothing
#
# Needs espeak-ng, sox, opusenc and go. The same versions of them give the same
# bytes. Other bytes are another version of the notice: a text or a sound
# that callers have heard is never rebuilt in place, it gets the next number.
set -euo pipefail
export LC_ALL=C.UTF-8

cd "$(dirname "$0")/.."
check=false
case "${1-}" in
'') ;;
--check) check=true ;;
*) echo "usage: $0 [--check]" >&2; exit 2 ;;
esac
for tool in espeak-ng sox opusenc go; do
	command -v "$tool" >/dev/null || { echo "$0: $tool is not installed" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The voice of each language, and of the two people of the demo. Words are
# longer in Dutch and German, so the same rate of speech is more a minute.
voice() {
	case "$1" in
	nl) echo 'nl+f3 -s 175' ;;
	en) echo 'en-gb-x-rp+f3 -s 165' ;;
	de) echo 'de+f3 -s 175' ;;
	fr) echo 'fr+f3 -s 165' ;;
	caller) echo 'en-gb-x-rp+m3 -s 170' ;;
	agent) echo 'en-us+f2 -s 165' ;;
	*) echo "$0: no voice for $1" >&2; return 1 ;;
	esac
}

# level FILE: peak and RMS in dBFS of what is not silence.
level() {
	sox -V1 -D "$1" -n silence -l 1 0.02 0.5% -1 0.02 0.5% stats 2>&1 |
		awk '/^Pk lev dB/ {p = $4} /^RMS lev dB/ {r = $4} END {print p, r}'
}

# speak VOICE TEXT WAV
#
# Telephone band, pauses of at most a quarter of a second, active speech at
# about -22 dBov (ITU-T P.56) with peaks below -6 dBFS: what is loudest is
# compressed a little, so that both hold. 200 ms of silence on both sides, and
# whole packets of 20 ms.
speak() {
	local voice=$1 text=$2 out=$3 peak rms gain samples
	# shellcheck disable=SC2086 # the voice is a name and an option
	espeak-ng -v $voice -f "$text" -w "$work/raw.wav"
	sox -V1 -D "$work/raw.wav" -b 32 -e signed -r 8000 -c 1 "$work/band.wav" \
		gain -6 rate -v 8000 sinc 300-3400
	read -r peak rms < <(level "$work/band.wav")
	gain=$(awk -v r="$rms" 'BEGIN {printf "%.2f", -22 - r}')
	sox -V1 -D "$work/band.wav" "$work/speech.wav" gain "$gain" \
		compand 0.0005,0.03 3:-90,-90,-16,-16,-8,-12,0,-13 0 -90 0.0005 sinc 300-3400 \
		silence 1 0.005 0.3% reverse silence 1 0.005 0.3% reverse silence -l 1 0.02 0.3% -1 0.25 0.3%
	read -r peak rms < <(level "$work/speech.wav")
	gain=$(awk -v p="$peak" -v r="$rms" 'BEGIN {g = -21.8 - r; m = -6.3 - p; printf "%.2f", g < m ? g : m}')
	samples=$(soxi -s "$work/speech.wav")
	sox -V1 -D "$work/speech.wav" -b 16 "$out" gain "$gain" \
		pad 1600s "$((1600 + (160 - samples % 160) % 160))s"
}

# opus WAV OPUS: mono, packets of 20 ms, the same bytes each time.
opus() {
	opusenc --quiet --speech --bitrate 20 --framesize 20 --comp 10 --serial 1 --discard-comments --padding 0 "$1" "$2"
}

# same NEW OLD: replaces the old one, or compares if that is all we are to do.
same() {
	$check || { mv "$1" "$2"; return; }
	cmp -s "$1" "$2" || { echo "$2: these tools make other bytes of it" >&2; return 1; }
}

build() { # build TEXT NAME-OF-VOICE
	local wav=${1%.txt}.wav
	speak "$(voice "$2")" "$1" "$work/new.wav"
	same "$work/new.wav" "$wav" || return 1
	case "$wav" in
	prompts/*)
		opus "$wav" "$work/new.opus"
		same "$work/new.opus" "${wav%.wav}.opus"
		;;
	esac
}

failed=0
for text in prompts/audio/*/*/*/*.txt; do
	build "$text" "$(basename "$(dirname "$text")")" || failed=1
done
for who in caller agent; do
	build "internal/demo/audio/$who.txt" "$who" || failed=1
done
# The tones of internal/media (there are pitch, level and cadence explained).
tone() { # tone NAME HERTZ SECONDS VOLUME PAUSE
	sox -V1 -D -n -r 16000 -c 1 -b 16 "$work/tone.wav" synth "$3" sine "$2" vol "$4" pad 0 "$5"
	opus "$work/tone.wav" "$work/tone.opus"
	same "$work/tone.opus" "internal/media/tones/$1.opus"
}
tone ringback 425 1 0.0696 4 || failed=1
tone waiting 600 0.24 0.0349 2 || failed=1
tone beep 1400 0.2 0.0696 0.04 || failed=1
[ "$failed" = 0 ]
$check && exit 0

tools="$(espeak-ng --version | sed 's/ *Data at.*//'); $(sox --version | sed 's/^sox: *//'); $(opusenc --version | head -1)"
go test ./prompts -run TestTheManifestDescribesWhatIsBuiltIn -count 1 -update -generator "$tools" \
	-voices "nl=$(voice nl),en=$(voice en),de=$(voice de),fr=$(voice fr)"
