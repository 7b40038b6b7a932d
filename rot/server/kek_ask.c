/* SPDX-License-Identifier: Apache-2.0 */
/* A line from the person at the terminal, which does not show it. */

#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/server/kek.h"

#define LINE_MAX_LEN 4096
#define CONTROL_C    3

/* Until a newline, or control-C, which the terminal hands over like a letter: nobody is left without echo. */
static int
read_line(int fd, struct seal_secret **ret_line, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *line = NULL;
	size_t len = 0;
	int r = seal_secret_new(&line, LINE_MAX_LEN, err);

	if (r < 0)
		return r;
	while (len < LINE_MAX_LEN) {
		uint8_t *at = seal_secret_bytes(line) + len;
		ssize_t n = read(fd, at, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return seal_fail_errno(err, errno, "cannot read from the terminal");
		if (n == 0 || *at == CONTROL_C)
			return seal_fail(err, SEAL_E_REFUSED, "nothing was entered");
		if (*at == '\n')
			break;
		len++;
	}
	if (len == 0)
		return seal_fail(err, SEAL_E_REFUSED, "nothing was entered");
	seal_secret_truncate(line, len);
	*ret_line = SEAL_TAKE(line);
	return 0;
}

static void
say(int fd, const char *text)
{
	(void)!write(fd, text, strlen(text)); /* who does not see it is not asked */
}

int
rot_kek_ask(const char *prompt, struct seal_secret **ret_line, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios before, quiet;
	int r;

	if (fd < 0 || tcgetattr(fd, &before) < 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no terminal to ask at");
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	quiet.c_cc[VEOL] = CONTROL_C;
	say(fd, prompt);
	if (tcsetattr(fd, TCSAFLUSH, &quiet) < 0)
		return seal_fail_errno(err, errno, "cannot silence the terminal");
	r = read_line(fd, ret_line, err);
	(void)tcsetattr(fd, TCSAFLUSH, &before); /* it is as good as gone then */
	say(fd, "\n");
	return r;
}
