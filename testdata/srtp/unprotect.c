/*
 * Opens SRTP and SRTCP with libsrtp, which is not what the gateway seals with.
 *
 *     unprotect KEY <sealed >plain
 *
 * KEY is the master key and salt of AES_CM_128_HMAC_SHA1_80 (RFC 4568 section 6.2.1)
 * in hexadecimal. Packets come and go as two bytes of length and that many bytes. One
 * that cannot be opened ends the program with an error.
 */
#include <srtp2/srtp.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	unsigned char key[SRTP_MAX_KEY_LEN] = {0}, packet[65536 + SRTP_MAX_TRAILER_LEN];
	srtp_policy_t policy;
	srtp_t session;
	size_t i;

	if (argc != 2 || strlen(argv[1]) != 2 * 30)
		return fputs("usage: unprotect KEY\n", stderr), 2;
	for (i = 0; i < 30 && sscanf(argv[1] + 2 * i, "%2hhx", key + i) == 1; i++)
		;
	memset(&policy, 0, sizeof policy);
	srtp_crypto_policy_set_rtp_default(&policy.rtp);
	srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
	policy.key = key;
	policy.ssrc.type = ssrc_any_inbound;
	policy.window_size = 1024;
	if (srtp_init() != srtp_err_status_ok || srtp_create(&session, &policy) != srtp_err_status_ok)
		return fputs("libsrtp cannot be used\n", stderr), 2;
	for (;;) {
		int high = getchar(), low = getchar(), size;
		srtp_err_status_t error;

		if (high == EOF || low == EOF)
			return 0;
		size = high << 8 | low;
		if (size < 12 || fread(packet, 1, size, stdin) != (size_t)size)
			return fputs("a packet is cut off\n", stderr), 1;
		error = packet[1] >= 192 && packet[1] <= 223 ? srtp_unprotect_rtcp(session, packet, &size)
		                                              : srtp_unprotect(session, packet, &size);
		if (error != srtp_err_status_ok)
			return fprintf(stderr, "a packet cannot be opened: libsrtp says %d\n", error), 1;
		putchar(size >> 8);
		putchar(size & 255);
		fwrite(packet, 1, size, stdout);
	}
}
