-- Host and path of a request, as they are looked up and as the service gets them. A request that the two could read differently is
-- refused (docs/adr/0013-raw-paths.md).
local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local _M = {}

-- The host name in lower case without the dot of the root, and the same with the port as it was asked for; nil where the request has no
-- such host. In a request for a whole URL that one's host counts (RFC 9112, section 3.2.2); NGINX has it in $host.
function _M.host()
    local name, field = ngx.var.host, ngx.var.http_host
    if not field then
        return name, name
    end
    local said, port = match(field, "^([^:]*)(.*)$")
    if sub(field, 1, 1) == "[" then
        said, port = match(field, "^(%[[%x:.]+%])(.*)$")
    end
    if not said or (port ~= "" and port ~= ":" and not match(port, "^:%d%d?%d?%d?%d?$")) then
        return nil
    end
    local number = tonumber(sub(port, 2))
    if number and (number < 1 or number > 65535) then
        return nil
    end
    said = lower(said)
    if sub(said, -1) == "." then
        said = sub(said, 1, -2)
    end
    if said ~= name or not number then
        return name, name
    end
    return name, name .. ":" .. number
end

-- Whether a service may find "." or ".." in a path: as they are, encoded, encoded more than once, behind an encoded or a backward slash,
-- or with the parameters that some servers take off.
local function climbs(path)
    local before
    repeat
        before = path
        path = gsub(path, "%%25", "%%")
    until path == before
    path = gsub(path, "%%2[eE]", ".")
    path = gsub(path, "%%2[fF]", "/")
    path = gsub(path, "%%5[cC]", "/")
    path = gsub(path, "%%3[bB]", ";")
    path = gsub(path, "\\", "/")
    path = gsub(path, ";[^/]*", "")
    return find(path .. "/", "/%.%.?/") ~= nil
end

-- The path exactly as it goes to the service; nil where that is ambiguous.
function _M.path()
    local path = match(ngx.var.request_uri, "^[^?#]*")
    -- only what has one of these can be more than it looks
    if (find(path, ".", 1, true) or find(path, "%", 1, true)) and climbs(path) then
        return nil
    end
    return path
end

return _M
