/* shares: NFS shares that exist already, or a sub-directory of one, which may be made when it is first mounted. */
#include "location.h"
#include "text.h"
#include "volumes.h"

typedef drivebay_driver_files_borrow_directory_t directory;
typedef drivebay_driver_mounts_list_mount_option_t options;

/* What a volume's parameters say. */
typedef struct {
    drivebay_driver_mounts_remote_source_t share;
    text sub_directory; /* empty for the share itself */
    bool made;          /* where it is not there yet */
    uint32_t mode;      /* with these permissions */
} location;

static bool read_location(const drivebay_driver_types_volume_t *volume, location *found, error *err) {
    text server = parameter(&volume->context, T("server"), T(""));
    text share = parameter(&volume->context, T("share"), T(""));
    text sub_directory = parameter(&volume->context, T("subDirectory"), T(""));
    if (server.len == 0)
        return FAIL(err, INVALID_ARGUMENT, T("server is missing: write the name or the address of one"));
    size_t length = share_length(share.ptr, share.len);
    if (length == 0)
        return FAIL(err, INVALID_ARGUMENT, T("share \""), share,
                    T("\": write a path of the server, as /exports/music"));
    if (sub_directory.len > 0 && !is_beneath(sub_directory.ptr, sub_directory.len))
        return FAIL(err, INVALID_ARGUMENT, T("subDirectory \""), sub_directory,
                    T("\": write names of directories with a slash between them, as music/live"));
    *found = (location){
        .share = {.fs_type = T("nfs"), .server = server, .path = {share.ptr, length}},
        .sub_directory = sub_directory,
    };
    text mode = parameter(&volume->context, T("mode"), T(""));
    found->made = sub_directory.len > 0 && mode.len > 0;
    if (mode.len > 0 && !read_mode(mode.ptr, mode.len, &found->mode))
        return FAIL(err, INVALID_ARGUMENT, T("mode \""), mode, T("\": write octal digits, as 0770"));
    return true;
}

/* The share with the sub-directory behind it: what a pod gets. */
static drivebay_driver_mounts_remote_source_t mounted(const location *of) {
    drivebay_driver_mounts_remote_source_t source = of->share;
    bool root = source.path.len == 1;
    if (of->sub_directory.len > 0)
        source.path = JOIN(root ? T("") : source.path, T("/"), of->sub_directory);
    return source;
}

/* As the PersistentVolume has them; which may be used, the grant decides. */
static options read_options(const backend_list_string_t *written) {
    options all = {allocate((written->len + 1) * sizeof *all.ptr), written->len};
    for (size_t at = 0; at < written->len; at++) {
        text option = written->ptr[at];
        size_t value = value_at(option.ptr, option.len);
        bool has = value > 0 && value <= option.len && option.ptr[value - 1] == '=';
        all.ptr[at].f0 = (text){option.ptr, has ? value - 1 : option.len};
        all.ptr[at].f1 = (backend_option_string_t){has, {option.ptr + value, option.len - value}};
    }
    return all;
}

/* A mount of its own that nobody else sees, gone with the call. */
static bool open_share(location *of, options *with, directory *root, error *err) {
    drivebay_driver_mounts_own_directory_t opened;
    if (!drivebay_driver_mounts_open_remote(&of->share, with, &opened, err))
        return false;
    *root = drivebay_driver_files_borrow_directory(opened);
    return true;
}

/* One that is there keeps its mode. */
static bool make_sub_directory(location *of, options *with, error *err) {
    directory root;
    return open_share(of, with, &root, err) &&
           drivebay_driver_files_method_directory_mkdir(root, &of->sub_directory, of->mode, err);
}

static bool require_sub_directory(location *of, error *err) {
    directory root;
    options none = {NULL, 0};
    drivebay_driver_files_file_status_t status;
    if (!open_share(of, &none, &root, err))
        return false;
    if (of->sub_directory.len == 0)
        return true;
    if (!drivebay_driver_files_method_directory_stat(root, &of->sub_directory, &status, err))
        return false;
    if (!equal(status.kind, T("directory")))
        return FAIL(err, NOT_FOUND, T("the share has no directory "), of->sub_directory);
    return true;
}

static exports_drivebay_driver_identity_parameter_t of_volumes(text name, bool required, text description) {
    return (exports_drivebay_driver_identity_parameter_t){
        .name = JOIN(name), .scope = JOIN(T("volume")), .required = required, .description = JOIN(description)};
}

/* identity */

void exports_drivebay_driver_identity_describe(exports_drivebay_driver_identity_description_t *ret) {
    exports_drivebay_driver_identity_parameter_t *all = allocate(4 * sizeof *all);
    all[0] = of_volumes(T("server"), true, T("Host name or address of the server."));
    all[1] = of_volumes(T("share"), true, T("Path of the share on the server."));
    all[2] = of_volumes(T("subDirectory"), false, T("A directory beneath the share, which is mounted instead of it."));
    all[3] = of_volumes(T("mode"), false,
                        T("Permission bits, in octal, of a sub-directory that is made; without, none is."));
    *ret = (exports_drivebay_driver_identity_description_t){
        .name = JOIN(T("shares")),
        .version = JOIN(T("0.1.0")),
        .summary = JOIN(T("NFS shares that exist already, and their sub-directories")),
        .parameters = {all, 4},
    };
}

/* node */

bool exports_drivebay_driver_node_get_info(exports_drivebay_driver_node_node_info_t *ret, error *err) {
    (void)err;
    *ret = (exports_drivebay_driver_node_node_info_t){.max_volumes = 0};
    return true;
}

bool exports_drivebay_driver_node_stage_volume(exports_drivebay_driver_node_stage_request_t *request,
                                               drivebay_driver_mounts_borrow_target_t target, error *err) {
    location of;
    if (request->kind.tag == DRIVEBAY_DRIVER_TYPES_ACCESS_TYPE_BLOCK)
        return FAIL(err, UNSUPPORTED, T("a volume is a share and cannot be a block device"));
    drivebay_driver_types_filesystem_access_t *wanted = &request->kind.val.filesystem;
    if (wanted->fs_type.len > 0 && !equal(wanted->fs_type, T("nfs")))
        return FAIL(err, INVALID_ARGUMENT, wanted->fs_type, T(": a share is nfs; write that, or no filesystem"));
    if (!read_location(&request->volume, &of, err))
        return false;
    options with = read_options(&wanted->mount_options);
    /* Who only reads makes nothing. */
    bool writes = request->access == DRIVEBAY_DRIVER_TYPES_ACCESS_READ_WRITE;
    if (of.made && writes && !make_sub_directory(&of, &with, err))
        return false;
    drivebay_driver_mounts_remote_source_t source = mounted(&of);
    return drivebay_driver_mounts_method_target_mount_remote(target, &source, &with, err);
}

/* Whether the server answers and has it. */
bool exports_drivebay_driver_node_get_health(drivebay_driver_types_volume_t *volume,
                                             exports_drivebay_driver_node_health_t *ret, error *err) {
    location of;
    if (!read_location(volume, &of, err))
        return false;
    *ret = (exports_drivebay_driver_node_health_t){.tag = EXPORTS_DRIVEBAY_DRIVER_NODE_HEALTH_OK};
    if (require_sub_directory(&of, err))
        return true;
    if (err->tag != DRIVEBAY_DRIVER_TYPES_ERROR_NOT_FOUND && err->tag != DRIVEBAY_DRIVER_TYPES_ERROR_UNAVAILABLE)
        return false;
    ret->tag = EXPORTS_DRIVEBAY_DRIVER_NODE_HEALTH_INACCESSIBLE;
    ret->val.inaccessible = err->val.internal;
    return true;
}
