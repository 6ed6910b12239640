/* An account database for the tests, as a directory service: it knows accounts by several spellings, and it can be
 * down. The file that NSS_SPELLINGS names, or else /run/nss-spellings, has a line "TYPED ACCOUNT UID" for each
 * spelling, and /run/nss-members a line "ACCOUNT GID" for each membership; while /run/nss-down is there nobody answers. */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum nss_status down(int *error) {
  *error = ECONNREFUSED;
  return NSS_STATUS_UNAVAIL;
}

static enum nss_status find(const char *typed, long uid, struct passwd *result, char *buffer, size_t length, int *error) {
  char spelling[256], account[256];
  long number;
  enum nss_status status = NSS_STATUS_NOTFOUND;
  if (access("/run/nss-down", F_OK) == 0) return down(error);
  const char *path = getenv("NSS_SPELLINGS");
  FILE *table = fopen(path != NULL ? path : "/run/nss-spellings", "re");
  if (table == NULL) return NSS_STATUS_NOTFOUND;
  while (status == NSS_STATUS_NOTFOUND && fscanf(table, "%255s %255s %ld", spelling, account, &number) == 3) {
    if (typed != NULL ? strcmp(typed, spelling) != 0 : uid != number) continue;
    int needed = snprintf(buffer, length, "%s%c*%c/home/e2e/%s%c/bin/bash", account, 0, 0, account, 0);
    if (needed < 0 || (size_t)needed >= length) {
      *error = ERANGE;
      status = NSS_STATUS_TRYAGAIN;
      break;
    }
    result->pw_name = buffer;
    result->pw_passwd = result->pw_name + strlen(result->pw_name) + 1;
    result->pw_gecos = result->pw_passwd + 1;
    result->pw_dir = result->pw_passwd + 2;
    result->pw_shell = result->pw_dir + strlen(result->pw_dir) + 1;
    result->pw_uid = (uid_t)number;
    result->pw_gid = 100;
    status = NSS_STATUS_SUCCESS;
  }
  fclose(table);
  return status;
}

enum nss_status _nss_spellings_getpwnam_r(const char *name, struct passwd *result, char *buffer, size_t length, int *error) {
  return find(name, -1, result, buffer, length, error);
}

enum nss_status _nss_spellings_getpwuid_r(uid_t uid, struct passwd *result, char *buffer, size_t length, int *error) {
  return find(NULL, uid, result, buffer, length, error);
}

enum nss_status _nss_spellings_getgrnam_r(const char *name, struct group *result, char *buffer, size_t length, int *error) {
  (void)name, (void)result, (void)buffer, (void)length;
  return access("/run/nss-down", F_OK) == 0 ? down(error) : NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_spellings_initgroups_dyn(const char *name, gid_t skip, long *start, long *size, gid_t **groups, long limit, int *error) {
  char account[256];
  long number;
  (void)skip, (void)limit;
  if (access("/run/nss-down", F_OK) == 0) return down(error);
  FILE *table = fopen("/run/nss-members", "re");
  if (table == NULL) return NSS_STATUS_NOTFOUND;
  while (fscanf(table, "%255s %ld", account, &number) == 2)
    if (strcmp(account, name) == 0 && *start < *size) (*groups)[(*start)++] = (gid_t)number;
  fclose(table);
  return NSS_STATUS_SUCCESS;
}
