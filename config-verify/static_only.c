/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the static seal-wrap alone.  The crypto library can look up hosts and load modules; seal-wrap never
 * lets it, and a program that must not do something is better without the code for it.  These take the
 * place of the C library's resolver and loader, which would be a twentieth of the program, would need
 * shared libraries when they run, and answer as those do on a system that has no such thing.
 */

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stddef.h>

int
getaddrinfo(const char *restrict node, const char *restrict service,
	    const struct addrinfo *restrict hints, struct addrinfo **restrict res)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)res;
	errno = ENOSYS;
	return EAI_SYSTEM;
}

void
freeaddrinfo(struct addrinfo *res)
{
	(void)res; /* there never is one */
}

int
getnameinfo(const struct sockaddr *restrict sa, socklen_t salen, char *restrict host,
	    socklen_t hostlen, char *restrict serv, socklen_t servlen, int flags)
{
	(void)sa;
	(void)salen;
	(void)host;
	(void)hostlen;
	(void)serv;
	(void)servlen;
	(void)flags;
	errno = ENOSYS;
	return EAI_SYSTEM;
}

const char *
gai_strerror(int ecode)
{
	(void)ecode;
	return "no resolver in this program";
}

struct hostent *
gethostbyname(const char *name)
{
	(void)name;
	return NULL;
}

void *
dlopen(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return NULL;
}

void *
dlsym(void *restrict handle, const char *restrict name)
{
	(void)handle;
	(void)name;
	return NULL;
}

int
dlclose(void *handle)
{
	(void)handle;
	return -1;
}

char *
dlerror(void)
{
	static char text[] = "no modules in this program";

	return text;
}

int
dladdr(const void *address, Dl_info *info)
{
	(void)address;
	(void)info;
	return 0;
}
